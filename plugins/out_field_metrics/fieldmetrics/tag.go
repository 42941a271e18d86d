package fieldmetrics

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// template is text with parts of the tag in it.
type template []piece

// piece is text, or where part is not noPart a part of the tag.
type piece struct {
	text string
	part int
}

const (
	noPart   = -2
	wholeTag = -1
	maxPart  = 1000 // bounds n of $TAG[n]
)

// parseTemplate reads text with $TAG, $TAG[n] (its parts between dots, from 0) and $$ (a dollar sign) in it. Any other
// use of $ is an error, so that one can get a meaning later.
func parseTemplate(s string) (t template, err error) {
	for {
		text, rest, found := strings.Cut(s, "$")
		if text != "" {
			t = append(t, piece{text, noPart})
		}
		if !found {
			return t, nil
		}
		if after, ok := strings.CutPrefix(rest, "$"); ok {
			t, s = append(t, piece{"$", noPart}), after
			continue
		}
		after, ok := strings.CutPrefix(rest, "TAG")
		if !ok {
			return nil, errors.New("only $TAG, $TAG[n] and $$ (a dollar sign) are known here, for example: app-$TAG[1]")
		}
		part := wholeTag
		if inside, ok := strings.CutPrefix(after, "["); ok {
			number, behind, closed := strings.Cut(inside, "]")
			n, err := strconv.ParseUint(number, 10, 16)
			if !closed || err != nil || n > maxPart {
				return nil, fmt.Errorf("$TAG[n] has an n from 0 to %d, for example: $TAG[1]", maxPart)
			}
			part, after = int(n), behind
		}
		t, s = append(t, piece{part: part}), after
	}
}

// constant says that the tag is not in it.
func (t template) constant() bool {
	for _, p := range t {
		if p.part != noPart {
			return false
		}
	}
	return true
}

// append appends the text for a tag. ok is false where the tag has no such part, or an empty one.
func (t template) append(dst []byte, tag string) (out []byte, ok bool) {
	for _, p := range t {
		text := p.text
		if p.part != noPart {
			if text = tagPart(tag, p.part); text == "" {
				return dst, false
			}
		}
		dst = append(dst, text...)
	}
	return dst, true
}

func tagPart(tag string, n int) string {
	if n == wholeTag {
		return tag
	}
	for ; n > 0; n-- {
		var found bool
		if _, tag, found = strings.Cut(tag, "."); !found {
			return ""
		}
	}
	part, _, _ := strings.Cut(tag, ".")
	return part
}
