package batch

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Many chunks from many goroutines: each arrives once, in its order, with time and id.
func TestDelivers(t *testing.T) {
	c := broker(t, 3)
	o, _ := output(t, c.ListenAddrs())
	var names []string
	var wg sync.WaitGroup
	for w := range 8 {
		for i := range 10 {
			names = append(names, fmt.Sprintf("%d-%d", w, i))
		}
		wg.Go(func() {
			for i := range 10 {
				name := fmt.Sprintf("%d-%d", w, i)
				flush(t, o, chunkOf(name, 50), "app."+name)
			}
		})
	}
	wg.Wait()
	got := consume(t, c.ListenAddrs())
	got.expect(t, 50, names...)
	ids := map[string]bool{}
	for _, r := range got.records {
		if r.Timestamp.UnixMilli() < 1700000000500 || r.Timestamp.UnixMilli()%1000 != 500 {
			t.Fatalf("timestamp %v", r.Timestamp)
		}
		if len(r.Headers) != 1 || r.Headers[0].Key != "record_id" || len(r.Headers[0].Value) != 32 {
			t.Fatalf("headers %v", r.Headers)
		}
		ids[string(r.Headers[0].Value)] = true
	}
	if len(ids) != len(got.records) {
		t.Errorf("%d ids for %d records", len(ids), len(got.records))
	}
	if v := string(got.records[0].Value); !strings.HasPrefix(v, `{"@timestamp":17000000`) || !strings.Contains(v, `.5,"n":`) {
		t.Errorf("value %s", v)
	}
}
