package enrich

import (
	"strings"
	"testing"
)

// The memory that is set aside is enough from the second chunk of a kind on, mostly from the first, and not much more
// than is used once a few have gone by.
func TestSizeHint(t *testing.T) {
	kinds := map[string]string{
		"service": benchRecord,
		"short":   `{"log":"GET / 200"}`,
		"tiny":    `{}`,
		"long":    `{"msg":"` + strings.Repeat("x", 2000) + `"}`,
	}
	for name, json := range kinds {
		for _, records := range []int{1, 7, 100, 1000} {
			f := newFilter(t, benchOptions...)
			body := msgpackOf(t, json)
			var bodies [][]byte
			for range records {
				bodies = append(bodies, body)
			}
			data := chunkOf(true, bodies...)
			used := 0
			for range 120 {
				room := f.SizeHint(len(data))
				if room < len(data) {
					t.Fatalf("%s × %d: %d bytes for a chunk of %d", name, records, room, len(data))
				}
				used = len(apply(f, data, "app.x"))
			}
			room := f.SizeHint(len(data))
			if room < used && (name != "tiny" || len(data) >= smallChunk) {
				t.Errorf("%s × %d: %d bytes set aside, %d used", name, records, room, used)
			}
			if len(data) >= smallChunk && room > used+used/10+4*f.growth.most {
				t.Errorf("%s × %d: %d bytes set aside for %d", name, records, room, used)
			}
		}
	}
}

// One chunk of tiny records does not make the next chunk's memory many times its size for long, and a larger growth
// than before counts at once.
func TestSizeHintRecovers(t *testing.T) {
	f := newFilter(t, benchOptions...)
	var tiny []byte
	for range 1000 {
		tiny = append(tiny, chunkOf(true, []byte{0x80})...)
	}
	data := benchChunk(t, 1000)
	apply(f, tiny, "app.x")
	for range 150 {
		apply(f, data, "app.x")
	}
	used := len(apply(f, data, "app.x"))
	if room := f.SizeHint(len(data)); room > 2*used {
		t.Errorf("%d bytes set aside for %d", room, used)
	}
	apply(f, tiny, "app.x")
	if used, room := len(apply(f, tiny, "app.x")), f.SizeHint(len(tiny)); room < used {
		t.Errorf("%d bytes set aside for %d", room, used)
	}
}
