package batch

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"flbgo/shared/record"
)

// topicRule is Kafka's own rule for the names of topics.
const topicRule = "1 to 249 of the characters a-z A-Z 0-9 . _ - and neither . nor .."

// validTopic applies topicRule.
func validTopic[T string | []byte](s T) bool {
	if len(s) == 0 || len(s) > 249 || string(s) == "." || string(s) == ".." {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// A name that a record brings must not begin so: brokers keep __consumer_offsets and the like to themselves.
const internalPrefix = "__"

// template is the name of a topic: text with fields and parts of the tag in it.
type template []piece

// piece is literal text, or a field, or where it is neither a part of the tag.
type piece struct {
	text  string
	path  record.Path
	field int // number of path in the encoder's paths
	part  int // part of the tag between dots, from 0; wholeTag
}

func (p *piece) isField() bool { return p.path.String() != "" }

const (
	wholeTag = -1
	// maxTagPart bounds n of $TAG[n].
	maxTagPart = 1000
)

// parseTemplate reads text with $TAG, $TAG[n], $field, $field['nested'][0], $['field'] and $$ (a dollar sign) in it. A
// name without quotes ends where it has no letter, digit, _ or @ any more, so that $service.logs is a field and ".logs".
func parseTemplate(s string) (template, error) {
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
		name := len(rest) - len(strings.TrimLeftFunc(rest, isNameRune))
		end := name
		for end < len(rest) && rest[end] == '[' {
			n := bracketLen(rest[end:])
			if n == 0 {
				return nil, fmt.Errorf("the bracket of $%s is not closed, for example: logs-$kubernetes['namespace_name']", rest)
			}
			end += n
		}
		if end == 0 {
			return nil, errors.New("behind $ must be a field, TAG or another $, for example: logs-$kubernetes['namespace_name'], $TAG[1]-$level")
		}
		p := piece{}
		if rest[:name] == "TAG" {
			p.part = wholeTag
			if end > name {
				n, err := strconv.ParseUint(rest[name+1:end-1], 10, 16)
				if err != nil || n > maxTagPart {
					return nil, fmt.Errorf("$%s must be $TAG[n] with n from 0 to %d, for example: logs-$TAG[1]", rest[:end], maxTagPart)
				}
				p.part = int(n)
			}
		} else {
			var err error
			if p.path, err = record.ParsePath("$" + rest[:end]); err != nil {
				return nil, err
			}
		}
		t = append(t, p)
		s = rest[end:]
	}
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '@'
}

// bracketLen is the length of the bracket that s begins with; 0 where it is not closed. In quotes a quote is doubled.
func bracketLen(s string) int {
	if len(s) < 2 || s[1] != '\'' && s[1] != '"' {
		return strings.IndexByte(s, ']') + 1
	}
	for i := 2; i < len(s); i++ {
		if s[i] != s[1] {
			continue
		}
		if i++; i < len(s) && s[i] == ']' {
			return i + 1
		} else if i == len(s) || s[i] != s[1] {
			return 0
		}
	}
	return 0
}

// constant is the name where it is the same for every record.
func (t template) constant() (name string, ok bool) {
	if len(t) != 1 || t[0].text == "" {
		return "", false
	}
	return t[0].text, true
}

// perChunk tells that all records of a chunk have the same name.
func (t template) perChunk() bool {
	for i := range t {
		if t[i].isField() {
			return false
		}
	}
	return true
}

// append appends the name for a tag and the record that the fields were read from. ok is false where something that it
// is made of is absent or empty.
func (t template) append(dst []byte, tag string, fields *record.Finder) (out []byte, ok bool) {
	for i := range t {
		p := &t[i]
		before := len(dst)
		switch {
		case p.text != "":
			dst = append(dst, p.text...)
		case p.isField():
			if v, ok := fields.Value(p.field); ok {
				dst = v.AppendText(dst)
			}
		default:
			dst = append(dst, tagPart(tag, p.part)...)
		}
		if len(dst) == before {
			return dst, false
		}
	}
	return dst, true
}

// tagPart is the n-th part of a tag between dots, "" where there is none.
func tagPart(tag string, n int) string {
	if n == wholeTag {
		return tag
	}
	for ; n > 0; n-- {
		_, after, ok := strings.Cut(tag, ".")
		if !ok {
			return ""
		}
		tag = after
	}
	part, _, _ := strings.Cut(tag, ".")
	return part
}

const (
	// maxTopics bounds the topics of one chunk, the default topic included.
	maxTopics = 1000
	// maxTopicNames bounds the names that a scratch remembers from chunk to chunk; a chunk may add maxTopics.
	maxTopicNames = 4096
)

// topicNames gives the topics of a chunk their numbers. It remembers the names of earlier chunks, so that a name is
// copied once. Not for concurrent use.
type topicNames struct {
	topics []string // of this chunk, by number
	last   int32    // number of the topic that was asked for last: neighbours mostly share it
	known  map[string]*topicName
	round  uint64 // the chunk's
}

type topicName struct {
	name   string
	round  uint64 // the chunk that number is of
	number int32
}

// reset starts a chunk. Topic 0 is the default topic.
func (n *topicNames) reset(first string) {
	if len(n.known) > maxTopicNames || n.known == nil {
		n.known = map[string]*topicName{}
	}
	n.round++
	n.topics, n.last = n.topics[:0], 0
	n.number([]byte(first))
}

// number returns a topic's number; unusable says why it has none. What is in the table is valid.
func (n *topicNames) number(name []byte) (number int32, why unusable) {
	if len(n.topics) > 0 && string(name) == n.topics[n.last] {
		return n.last, topicGood
	}
	t := n.known[string(name)]
	if t == nil {
		if !validTopic(name) || bytes.HasPrefix(name, []byte(internalPrefix)) && len(n.topics) > 0 {
			return 0, topicInvalid
		}
		if len(n.topics) >= maxTopics {
			return 0, topicTooMany
		}
		owned := string(name)
		t = &topicName{name: owned}
		n.known[owned] = t
	}
	if t.round != n.round {
		if len(n.topics) >= maxTopics {
			return 0, topicTooMany
		}
		t.round, t.number = n.round, int32(len(n.topics))
		n.topics = append(n.topics, t.name)
	}
	n.last = t.number
	return t.number, topicGood
}

// unusable is why a record's own topic is not used and it goes to the default topic.
type unusable uint8

const (
	topicGood       unusable = iota
	topicAbsent              // a field that names it, or a part of the tag, is absent or empty
	topicInvalid             // it breaks topicRule, or begins with internalPrefix
	topicUnlisted            // topic_key names one that is not in topics, and dynamic_topic is off
	topicTooMany             // the chunk has maxTopics others
	topicImpossible          // brokers say that no topic can have it, or the instance has maxKnownTopics others
	unusables
)

var unusableNames = [unusables]string{"", "absent", "invalid", "not_in_topics", "too_many", "impossible"}

// String names the reason for metrics.
func (u unusable) String() string { return unusableNames[u] }

// topic is the number of the record's topic: what topic_key says, else what topic makes, else the default topic's. That
// topic_key is absent counts only where there is no topic to fall back to.
func (e *encoder) topic(s *scratch) int32 {
	why := topicAbsent
	if e.topicField >= 0 {
		var number int32
		if number, why = e.topicByKey(s); why == topicGood {
			return number
		}
	}
	number, by := s.topic, s.topicWhy
	if !e.topicPerChunk {
		number, by = e.topicByTemplate(s)
	}
	if why == topicAbsent {
		why = by
	}
	s.counts.topics[why]++
	return number
}

// chunkTopic finds what is the same for all records of a chunk.
func (e *encoder) chunkTopic(s *scratch) {
	s.topic, s.topicWhy = 0, topicGood
	switch {
	case len(e.template) == 0:
		if e.topicField >= 0 {
			s.topicWhy = topicAbsent
		}
	case e.topicPerChunk:
		s.topic, s.topicWhy = e.topicByTemplate(s)
	}
	s.topical = e.topicField >= 0 || !e.topicPerChunk || s.topicWhy != topicGood
}

func (e *encoder) topicByKey(s *scratch) (int32, unusable) {
	v, ok := s.fields.Value(e.topicField)
	if !ok {
		return 0, topicAbsent
	}
	s.name = v.AppendText(s.name[:0])
	if len(s.name) == 0 {
		return 0, topicAbsent
	}
	if !e.cfg.dynamicTopic && !e.listed[string(s.name)] {
		return 0, topicUnlisted
	}
	return s.topicNames.number(s.name)
}

func (e *encoder) topicByTemplate(s *scratch) (int32, unusable) {
	var ok bool
	if s.name, ok = e.template.append(s.name[:0], s.ids.tag, s.fields); !ok {
		return 0, topicAbsent
	}
	return s.topicNames.number(s.name)
}
