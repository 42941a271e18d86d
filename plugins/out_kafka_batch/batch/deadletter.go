package batch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"sync"
	"time"

	"flbgo/shared/option"
)

// deadLetterConfig is where records go that brokers refuse for their own fault.
type deadLetterConfig struct {
	deadTopic    string // "" where they are dropped
	deadMaxBytes int
}

func (c *deadLetterConfig) parse(v *option.Values) {
	c.deadTopic = v.Text("dead_letter_topic")
	if c.deadTopic != "" && !validTopic(c.deadTopic) {
		v.Fail("dead_letter_topic", "must be %s, for example: dead_letter_topic logs-dead-letters", topicRule)
	}
	c.deadMaxBytes = int(v.Int("dead_letter_max_bytes"))
	if c.deadMaxBytes > int(v.Int("batch_max_bytes")) && c.deadTopic != "" {
		v.Fail("dead_letter_max_bytes", "must not be above batch_max_bytes (%d), or dead letters would be refused too, for example: dead_letter_max_bytes 64K", v.Int("batch_max_bytes"))
	}
}

// maxDeadKey bounds the key of a dead letter: a key may be what made the record too large.
const maxDeadKey = 4 << 10

// letter is a dead letter that waits for its topic's partitions to be known.
type letter struct {
	d                   *delivery
	reason              string
	ms                  int64
	key, value, headers []byte // its own copies
}

func (l *letter) size() int {
	const overhead = 64
	return len(l.key) + len(l.value) + len(l.headers) + overhead
}

// deadRecord is a record that cannot be delivered.
type deadRecord struct {
	ms            int64
	key, value    []byte // borrowed
	size          int    // of the value, where value is not all of it
	sum           [sha256.Size]byte
	topic, reason string
	id            []byte // record_id; nil: none
	eventTime     []byte // as its header has it; nil: ms is it
}

// newLetter makes the dead letter of a record: the beginning of its value, and headers that say what it was.
func newLetter(r *deadRecord, d *delivery, maxBytes int) letter {
	l := letter{d: d, reason: r.reason, ms: r.ms}
	if len(r.key) <= maxDeadKey {
		l.key = append(l.key, r.key...)
	}
	l.value = append(l.value, r.value[:min(len(r.value), maxBytes)]...)
	at := r.eventTime
	if at == nil {
		at = appendMillis(nil, time.UnixMilli(r.ms))
	}
	n := 6
	if r.id != nil {
		n++
	}
	h := binary.AppendVarint(nil, int64(n))
	h = appendHeader(h, "reason", []byte(r.reason))
	h = appendHeader(h, "topic", []byte(r.topic))
	h = appendHeader(h, "tag", []byte(d.tag))
	h = appendHeader(h, "time", at)
	h = appendHeader(h, "original_size", strconv.AppendInt(nil, int64(r.size), 10))
	h = appendHeader(h, "sha256", hex.AppendEncode(nil, r.sum[:]))
	if r.id != nil {
		h = appendHeader(h, recordIDName, r.id)
	}
	l.headers = h
	return l
}

func appendMillis(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}

// deadLetters keeps dead letters until the partitions of their topic are known, and then gives them to one: a topic that
// is missing, which somebody can mend, holds up no other. Safe for concurrent use.
type deadLetters struct {
	o *Output
	t *topic // nil where there is no dead_letter_topic

	mu      sync.Mutex
	letters []letter
	running bool
}

// add takes letters, whose deliveries wait for them.
func (q *deadLetters) add(letters []letter) {
	for i := range letters {
		q.o.memory.used.Add(int64(letters[i].size()))
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.letters = append(q.letters, letters...)
	if !q.running && len(q.letters) > 0 {
		q.running = true
		q.o.wg.Add(1)
		go q.run()
	}
}

func (q *deadLetters) run() {
	defer q.o.wg.Done()
	for attempt := 0; ; attempt++ {
		if r := q.route(); r != nil {
			q.mu.Lock()
			letters := q.letters
			q.letters, q.running = nil, false
			q.mu.Unlock()
			r.appendLetters(letters)
			return
		}
		if !sleep(q.o.ctx, q.o.cfg.backoff(attempt)) {
			return
		}
		select {
		case <-q.o.cluster.reachable():
		case <-q.o.ctx.Done():
			return
		}
	}
}

func (q *deadLetters) route() *route {
	ctx, cancel := context.WithTimeout(q.o.ctx, q.o.cfg.requestTimeout)
	defer cancel()
	uses := []use{{t: q.t}}
	if err := q.o.topics.resolve(ctx, uses); err != nil && q.o.ctx.Err() == nil {
		q.o.notices.dead.Do(func() {
			q.o.log.Warn("dead letters cannot be written for now; the chunks that they are from stay in Fluent Bit's buffer", "error", err.Error())
		})
	}
	return uses[0].r
}

// appendLetters appends letters to a partition.
func (r *route) appendLetters(letters []letter) {
	total := 0
	for i := range letters {
		total += letters[i].size()
	}
	p := r.stick(total)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range letters {
		l := &letters[i]
		p.appendRecord(l.size(), l.d, l.reason, l.ms, l.key, l.value, l.headers)
	}
	p.start()
}
