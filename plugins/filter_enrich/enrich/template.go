package enrich

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"flbgo/shared/record"
)

// template is the value of an attribute: text with parts of the tag and fields of the record in it.
type template []piece

// piece is one part of a template.
type piece struct {
	kind pieceKind
	text string      // of pieceText
	part int         // of pieceTag: part of the tag between dots, from 0, or wholeTag; of piecePod: what of the service
	path record.Path // of piecePath
}

type pieceKind uint8

const (
	pieceText pieceKind = iota
	pieceTag
	piecePath // a field of the record
	piecePod  // what the record's kubernetes map says of the service
)

const wholeTag = -1

// maxPart bounds n of $TAG[n].
const maxPart = 1000

const templateForms = "only $TAG, $TAG[n], paths such as $app or $labels['app.name'], and $$ (a dollar sign) are known here"

// parseTemplate reads text with $TAG, $TAG[n], paths and $$ in it.
func parseTemplate(s string) (template, error) {
	if s == "" {
		return nil, errors.New("the value is missing")
	}
	var t template
	literal := func(text string) {
		switch {
		case text == "":
		case len(t) > 0 && t[len(t)-1].kind == pieceText:
			t[len(t)-1].text += text
		default:
			t = append(t, piece{text: text})
		}
	}
	for {
		before, rest, found := strings.Cut(s, "$")
		literal(before)
		if !found {
			return t, nil
		}
		if after, ok := strings.CutPrefix(rest, "$"); ok {
			literal("$")
			s = after
			continue
		}
		if after, ok := strings.CutPrefix(rest, "TAG"); ok {
			part := wholeTag
			if inside, ok := strings.CutPrefix(after, "["); ok {
				number, behind, closed := strings.Cut(inside, "]")
				n, err := strconv.ParseUint(number, 10, 16)
				if !closed || err != nil || n > maxPart {
					return nil, fmt.Errorf("expected $TAG[n] with n from 0 to %d", maxPart)
				}
				part, after = int(n), behind
			}
			t = append(t, piece{kind: pieceTag, part: part})
			s = after
			continue
		}
		size := pathLen(rest)
		if size == 0 {
			return nil, errors.New(templateForms)
		}
		path, err := record.ParsePath("$" + rest[:size])
		if err != nil {
			return nil, err
		}
		t = append(t, piece{kind: piecePath, path: path})
		s = rest[size:]
	}
}

// pathLen is how much of s, which stands behind a $, is a path. Names without quotes are letters, digits and _ here, so
// that a path can end inside text.
func pathLen(s string) int {
	i := 0
	name := func() bool {
		from := i
		for i < len(s) && (s[i] == '_' || s[i]-'0' <= 9 || s[i]|0x20-'a' < 26) {
			i++
		}
		return i > from
	}
	if strings.HasPrefix(s, ".") {
		i++
	}
	if !name() && (i > 0 || !strings.HasPrefix(s, "[")) {
		return 0
	}
	for i < len(s) {
		switch s[i] {
		case '.':
			i++
			if !name() {
				return i - 1 // the end of a sentence
			}
		case '[':
			end := strings.IndexByte(s[i:], ']')
			if i+1 < len(s) && (s[i+1] == '\'' || s[i+1] == '"') {
				end = strings.Index(s[i+2:], s[i+1:i+2]+"]")
				if end >= 0 {
					end += 3
				}
			}
			if end < 0 {
				return len(s) // ParsePath says what is wrong
			}
			i += end + 1
		default:
			return i
		}
	}
	return i
}

// whole is the path that the template consists of, if it does: then the value keeps its type.
func (t template) whole() (record.Path, bool) {
	if len(t) == 1 && t[0].kind == piecePath {
		return t[0].path, true
	}
	return record.Path{}, false
}

// ofRecord says that the value depends on the record, not on its tag alone.
func (t template) ofRecord() bool {
	for i := range t {
		if t[i].kind >= piecePath {
			return true
		}
	}
	return false
}

// append appends the value for a tag. ok is false where the tag has no such part, or an empty one.
func (t template) append(dst, tag []byte) (out []byte, ok bool) {
	for i := range t {
		if t[i].kind == pieceText {
			dst = append(dst, t[i].text...)
			continue
		}
		part := tagPart(tag, t[i].part)
		if len(part) == 0 {
			return dst, false
		}
		dst = append(dst, part...)
	}
	return dst, true
}

func tagPart(tag []byte, n int) []byte {
	for ; n > 0; n-- {
		dot := bytes.IndexByte(tag, '.')
		if dot < 0 {
			return nil
		}
		tag = tag[dot+1:]
	}
	if n == wholeTag {
		return tag
	}
	if dot := bytes.IndexByte(tag, '.'); dot >= 0 {
		tag = tag[:dot]
	}
	return tag
}
