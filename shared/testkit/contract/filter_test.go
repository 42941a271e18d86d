//go:build contract

package contract

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flbgo/shared/chunk"
	"flbgo/shared/testkit/chunks"
)

// material is the chunks that every filter must get right: one of each kind, and what real hosts made.
func material(t *testing.T) []chunks.Case {
	t.Helper()
	all := chunks.Corpus()
	files, err := filepath.Glob(filepath.Join(root, "testdata/chunks/*.msgpack"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captured chunks: %v", err)
	}
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, chunks.Case{Name: filepath.Base(f), Bytes: content})
	}
	return all
}

// A chunk in which enrich finds nothing to do comes out as it went in: both event forms, groups, damage. The best
// proof is that it is not even copied.
func TestPassThrough(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		h := startHost(t, g)
		h.open("filter_enrich")
		h.filter("f", "filter_enrich", "level=off", "trace=off", "remove=absent", "rename=gone=away")
		for _, c := range material(t) {
			h.chunk(c.Name, c.Bytes)
			result, done := h.run("f", "app.log", c.Name, c.Bytes)
			if !bytes.Equal(result, c.Bytes) {
				t.Errorf("%s: %x became %x", c.Name, short(c.Bytes), short(result))
			}
			if done.number("modified") != 0 {
				t.Errorf("%s: not changed, but said to be", c.Name)
			}
		}
		if live := h.do("memory").number("live"); live != 0 {
			t.Errorf("%d blocks are still held", live)
		}
	})
}

// Every record gets the attribute; the time, the metadata, the old fields' bytes, group markers and damage stay as they
// were, byte for byte.
func TestEnrichTouchesRecordsOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, g generation) {
		h := startHost(t, g)
		h.open("filter_enrich")
		h.filter("f", "filter_enrich", "level=off", "trace=off", "attributes=service.name=checkout")
		for _, c := range material(t) {
			h.chunk(c.Name, c.Bytes)
			result, _ := h.run("f", "app.log", c.Name, c.Bytes)
			if want := withField(c.Bytes, "service.name", "checkout"); !bytes.Equal(result, want) {
				t.Errorf("%s: got\n%x, want\n%x", c.Name, short(result), short(want))
			}
		}
	})
}

// withField is what a chunk looks like when every record has one more field.
func withField(content []byte, key, value string) []byte {
	var out []byte
	var r chunk.Reader
	r.Reset(content)
	for k := r.Next(); k != chunk.End; k = r.Next() {
		if k != chunk.Record {
			out = append(out, r.Raw...)
			continue
		}
		pairs, size, _ := chunk.MapHeader(r.Body)
		out = append(out, r.Head...)
		out = chunk.AppendMapHeader(out, pairs+1)
		out = append(out, r.Body[size:]...)
		out = append(out, chunks.Value(key)...)
		out = append(out, chunks.Value(value)...)
	}
	return out
}

func short(b []byte) []byte { return b[:min(len(b), 200)] }

// Behind threaded inputs and in processors one instance is called by several threads at once. Each gets the result of
// its own chunk, and what the host was given it could free.
func TestFilterOnManyThreads(t *testing.T) {
	t.Parallel()
	const threads, times = 8, 100
	h := startHost(t, v2_2)
	h.open("filter_enrich")
	h.filter("f", "filter_enrich", "attributes=service.name=checkout,log_type=$TAG[0]")
	h.filter("other", "filter_enrich", "attributes=service.name=payment")
	var jobs []int
	for i := range threads {
		b := chunks.New()
		for j := range 50 + i {
			b.Record("msg", strings.Repeat("x", 100), "thread", i, "n", j)
		}
		name := fmt.Sprintf("c%d", i)
		h.chunk(name, b.Bytes())
		id := []string{"f", "other"}[i%2]
		jobs = append(jobs, h.apply(id, fmt.Sprintf("t%d.log", i), name, fmt.Sprintf("thread=%d", i), fmt.Sprintf("times=%d", times)))
	}
	for i, job := range jobs {
		done := h.wait(job)
		if done.number("modified") != times || done.number("distinct") != 1 || done.number("stray") != 0 {
			t.Errorf("thread %d: %v", i, done.fields)
		}
	}
	if live := h.do("memory").number("live"); live != 0 {
		t.Errorf("%d blocks are still held", live)
	}
	h.do("end", "f")
	h.do("end", "other")
}

// Whatever logic returns, the host gets a block of its own malloc that begins where the result does, or nothing.
func TestFilterResults(t *testing.T) {
	t.Parallel()
	content := chunks.New().Record("msg", strings.Repeat("x", 10_000)).Bytes()
	unlucky := chunks.Old().Record("n", 1).Bytes() // a size at which SizeHint panics
	unlucky = unlucky[:13:13]
	h := startHost(t, v2_2)
	h.open("faulty")
	h.do("native", "faulty", "filter_faulty_plugin")
	h.filter("f", "faulty")
	h.chunk("c", content)
	h.chunk("unlucky", unlucky)
	for _, c := range []struct {
		tag, chunk string
		want       []byte // nil: not touched
	}{
		{"untouched", "c", nil},
		{"same", "c", content},
		{"grow", "c", bytes.Repeat(content, 100)},
		{"shift", "c", content[1:]},
		{"borrowed", "c", content},
		{"empty", "c", nil},
		{"panic", "c", nil},
		{"nil", "c", nil},
		{"same", "unlucky", nil},
	} {
		result, done := h.run("f", c.tag, c.chunk, nil)
		if !bytes.Equal(result, c.want) {
			t.Errorf("%s: %d bytes, want %d: %v", c.tag, len(result), len(c.want), done.fields)
		}
		if live := h.do("memory").number("live"); live != 0 {
			t.Errorf("%s: %d blocks are still held", c.tag, live)
		}
	}
}

// The checks on memory would find a plugin that breaks the contract: a host that sees nothing proves nothing.
func TestHostNoticesWrongMemory(t *testing.T) {
	t.Parallel()
	for tag, what := range map[string]string{
		"wrong.overrun": "behind the end",
		"wrong.foreign": "not from the host's malloc",
		"wrong.freed":   "freed twice",
	} {
		t.Run(tag, func(t *testing.T) {
			t.Parallel()
			h := startHost(t, v2_2)
			h.open("faulty")
			h.do("native", "faulty", "filter_faulty_plugin")
			h.filter("f", "faulty")
			h.chunk("c", make([]byte, 8192))
			h.ask("apply", "f", tag, "c")
			last := h.fatal()
			if len(last) != 1 || last[0].word != "violation" || !strings.Contains(last[0].text("what"), what) {
				t.Errorf("the host said %v", last)
			}
		})
	}
	t.Run("wrong.leak", func(t *testing.T) {
		t.Parallel()
		h := startHost(t, v2_2)
		h.open("faulty")
		h.do("native", "faulty", "filter_faulty_plugin")
		h.filter("f", "faulty")
		h.chunk("c", make([]byte, 8192))
		h.wait(h.apply("f", "wrong.leak", "c", "times=3"))
		if live := h.do("memory").number("live"); live != 3 {
			t.Errorf("%d blocks are held, want 3", live)
		}
	})
}
