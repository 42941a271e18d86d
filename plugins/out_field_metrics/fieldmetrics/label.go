package fieldmetrics

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"flbgo/shared/record"
)

// maxLabelValue is how many bytes of a label's value are kept; the rest is cut off, at the border of a character. It
// bounds what a series can cost, far above what makes a useful label.
const maxLabelValue = 1024

// separator stands between the label values of a key. It is in no UTF-8 text.
const separator = 0xff

// label is one label that comes from a field.
type label struct {
	Name string
	Path record.Path
}

// parseLabel reads name=path, or a path from which the name is made.
func parseLabel(item string) (label, error) {
	name, path, named := strings.Cut(item, "=")
	if named && strings.ContainsAny(name, "['\"") {
		named = false // the = is inside a quoted name of the path
	}
	if !named {
		path = item
	}
	path = strings.TrimSpace(path)
	p, err := record.ParsePath(path)
	if err != nil {
		return label{}, fmt.Errorf("%q is neither a path nor name=path: %w", item, err)
	}
	if !named {
		if name = labelName(path); name == "" {
			return label{}, fmt.Errorf("no name can be made from %q; give one, for example: label_fields status=%s", path, path)
		}
	}
	return label{Name: strings.TrimSpace(name), Path: p}, nil
}

// labelName makes a label's name from a path: what cannot stand in a name becomes one underscore between what can.
//
//	$http.status_code → http_status_code    $labels['app.name'][0] → labels_app_name_0    5xx → _5xx
func labelName(path string) string {
	var b strings.Builder
	gap := false
	for i := range len(path) {
		c := path[i]
		if !isName(path[i:i+1], false) && (c < '0' || c > '9') {
			gap = b.Len() > 0
			continue
		}
		if gap || b.Len() == 0 && c <= '9' {
			b.WriteByte('_')
		}
		gap = false
		b.WriteByte(c)
	}
	return b.String()
}

// appendKey appends the values that labels have in a record, with separators between them: those of the n paths from
// the first on. Where two records have equal keys they have equal label values, and the other way round.
func appendKey(dst []byte, fields *record.Finder, first, n int) []byte {
	for i := range n {
		if i > 0 {
			dst = append(dst, separator)
		}
		if v, ok := fields.Value(first + i); ok {
			dst = appendLabelValue(dst, v)
		}
	}
	return dst
}

// appendLabelValue appends a value as a label shows it: at most maxLabelValue bytes of valid UTF-8, which is all that
// Prometheus takes.
func appendLabelValue(dst []byte, v record.Value) []byte {
	text, ok := v.Text()
	if !ok {
		from := len(dst)
		dst = v.AppendText(dst) // numbers and JSON: valid
		return dst[:from+validCut(dst[from:])]
	}
	if len(text) <= maxLabelValue && utf8.Valid(text) {
		return append(dst, text...)
	}
	from := len(dst)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text) // U+FFFD for a byte that is none
		if len(dst)-from+utf8.RuneLen(r) > maxLabelValue {
			break
		}
		dst = utf8.AppendRune(dst, r)
		text = text[size:]
	}
	return dst
}

// validCut is how many bytes of valid UTF-8 to keep.
func validCut(s []byte) int {
	if len(s) <= maxLabelValue {
		return len(s)
	}
	n := maxLabelValue
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}

// splitKey is what appendKey put together, as strings of their own.
func splitKey(key string, labels int) []string {
	if labels == 0 {
		return nil
	}
	return strings.Split(key, string([]byte{separator}))
}
