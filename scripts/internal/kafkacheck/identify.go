package kafkacheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
)

// object is the top level of a JSON object in its order. The slices are the
// input's, but for keys with escapes.
type object []member

type member struct {
	key   []byte
	value json.RawMessage
}

var errNoObject = errors.New("not a JSON object")

// parseObject splits a JSON object into its members, which it appends to obj.
func parseObject(obj object, b []byte) (object, error) {
	if !json.Valid(b) {
		return obj, errNoObject
	}
	b = bytes.TrimSpace(b)
	if b[0] != '{' {
		return obj, errNoObject
	}
	rest := bytes.TrimLeft(b[1:], " \t\r\n")
	for rest[0] != '}' {
		n := valueLen(rest)
		key := rest[1 : n-1]
		if bytes.IndexByte(key, '\\') >= 0 {
			var text string
			if err := json.Unmarshal(rest[:n], &text); err != nil {
				return obj, err
			}
			key = []byte(text)
		}
		rest = bytes.TrimLeft(rest[n:], " \t\r\n:")
		n = valueLen(rest)
		obj = append(obj, member{key, rest[:n:n]})
		rest = bytes.TrimLeft(rest[n:], " \t\r\n,")
	}
	return obj, nil
}

// valueLen is the length of the first value in what is known to be valid JSON.
func valueLen(b []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
				if depth == 0 {
					return i + 1
				}
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth == 0 {
				return i // the end of what the scalar is in
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case depth == 0 && (c == ',' || c <= ' '):
			return i
		}
	}
	return len(b)
}

// get returns the last value of a key, as JSON decoders do.
func (o object) get(key string) (json.RawMessage, bool) {
	for _, m := range slices.Backward(o) {
		if string(m.key) == key {
			return m.value, true
		}
	}
	return nil, false
}

// text returns a field that is a string; "" where it is none.
func (o object) text(key string) string {
	v, ok := o.get(key)
	if !ok || v[0] != '"' {
		return ""
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1])
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// identify tells the stream and the sequence number of a record. The stream is
// in the name of the log file, which may have been rotated by now; without one
// it follows from what the record says.
func identify(obj object, fileKey string) (stream string, seq uint64, ok bool) {
	if seq, ok = sequence(obj); !ok {
		return "", 0, false
	}
	base := path.Base(obj.text(fileKey))
	if name, rest, found := strings.Cut(base, ".log"); found && name != "" && (rest == "" || rest[0] == '.') {
		return name, seq, true
	}
	logger := obj.text("logger")
	switch {
	case obj.text("log_type") == "access" && strings.Contains(obj.text("message"), " HTTP/"):
		return "nginx", seq, true
	case obj.text("log_type") == "access":
		return "gin", seq, true
	case logger == "zap" || logger == "slog" || logger == "logrus":
		return logger, seq, true
	case strings.Contains(logger, "."):
		return "java", seq, true
	case obj.text("log_type") == "app" && logger == "":
		return "pipe", seq, true
	}
	return "", 0, false
}

// sequence looks in seq, then in the texts that carry "seq=N".
func sequence(obj object) (uint64, bool) {
	if v, ok := obj.get("seq"); ok {
		n, err := strconv.ParseUint(strings.Trim(string(v), `"`), 10, 64)
		return n, err == nil
	}
	for _, key := range []string{"path", "message", "msg", "log"} {
		_, after, ok := strings.Cut(obj.text(key), "seq=")
		if !ok {
			continue
		}
		end := 0
		for end < len(after) && after[end] >= '0' && after[end] <= '9' {
			end++
		}
		if n, err := strconv.ParseUint(after[:end], 10, 64); err == nil {
			return n, true
		}
	}
	return 0, false
}
