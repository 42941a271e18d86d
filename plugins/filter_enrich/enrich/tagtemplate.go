package enrich

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// template is the value of an attribute: text with parts of the tag in it.
type template []piece

// piece is literal text, or where that is "" a part of the tag.
type piece struct {
	text string
	part int // part of the tag between dots, from 0; wholeTag
}

const wholeTag = -1

// maxPart bounds n of $TAG[n].
const maxPart = 1000

// parseTemplate reads text with $TAG, $TAG[n] and $$ in it. Any other use of $ is an error, so that one can get a
// meaning later.
func parseTemplate(s string) (template, error) {
	if s == "" {
		return nil, errors.New("the value is missing")
	}
	var t template
	literal := func(text string) {
		switch {
		case text == "":
		case len(t) > 0 && t[len(t)-1].text != "":
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
		after, ok := strings.CutPrefix(rest, "TAG")
		if !ok {
			return nil, errors.New("only $TAG, $TAG[n] and $$ (a dollar sign) are known here")
		}
		part := wholeTag
		if inside, ok := strings.CutPrefix(after, "["); ok {
			number, behind, closed := strings.Cut(inside, "]")
			n, err := strconv.ParseUint(number, 10, 16)
			if !closed || err != nil || n > maxPart {
				return nil, fmt.Errorf("expected $TAG[n] with n from 0 to %d", maxPart)
			}
			part, after = int(n), behind
		}
		t = append(t, piece{part: part})
		s = after
	}
}

// append appends the value for a tag. ok is false where the tag has no such part, or an empty one.
func (t template) append(dst, tag []byte) (out []byte, ok bool) {
	for i := range t {
		if t[i].text != "" {
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
