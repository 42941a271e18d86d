package batch

import (
	"fmt"
	"testing"

	"github.com/segmentio/kafka-go"
)

// testRoute is a topic of n partitions, of which those named have no leader. Nothing is sent.
func testRoute(n int, without ...int) *route {
	leaders := make([]int32, n)
	for _, id := range without {
		leaders[id] = -1
	}
	return (&topic{name: "logs"}).setRoute(leaders)
}

// assigned are the partitions of records with these keys.
func assigned(r *route, keys ...string) []int32 {
	s := &scratch{}
	for _, k := range keys {
		from := len(s.text)
		s.text = append(s.text, k...)
		s.entries = append(s.entries, entry{key: span{from, len(s.text)}, next: -1})
	}
	s.uses = []use{{r: r, sticky: -1}}
	s.assign(&config{})
	ids := make([]int32, len(keys))
	for i := range s.entries {
		ids[i] = s.entries[i].partition
	}
	s.release()
	return ids
}

// A key goes where librdkafka's consistent_random puts it, as kafka-go's balancer of that name says too; also where that
// partition has no leader just now.
func TestKeyDecides(t *testing.T) {
	var want kafka.CRC32Balancer
	for _, partitions := range []int{1, 2, 7, 12, 1000} {
		r := testRoute(partitions, 0)
		ids := make([]int, partitions)
		for i := range ids {
			ids[i] = i
		}
		var keys []string
		for i := range 10_000 {
			keys = append(keys, fmt.Sprintf("key-%d", i*i))
		}
		for i, got := range assigned(r, keys...) {
			if w := want.Balance(kafka.Message{Key: []byte(keys[i])}, ids...); int(got) != w {
				t.Fatalf("key %s of %d partitions: %d, want %d", keys[i], partitions, got, w)
			}
		}
	}
}

// Records of one partition are linked in their order, and a scratch that is used again starts clean.
func TestAssignLinks(t *testing.T) {
	r := testRoute(4)
	s := &scratch{}
	for range 2 {
		s.text, s.entries = s.text[:0], s.entries[:0]
		for i := range 100 {
			from := len(s.text)
			s.text = fmt.Appendf(s.text, "k%d", i%10)
			s.entries = append(s.entries, entry{key: span{from, len(s.text)}, next: -1})
		}
		s.uses = []use{{r: r, sticky: -1}}
		s.assign(&config{})
		seen := 0
		for _, at := range s.touched {
			last, id := int32(-1), at.p.id
			for i := at.head; i >= 0; i = s.entries[i].next {
				if i <= last || s.entries[i].partition != id {
					t.Fatalf("entry %d of partition %d follows %d in the list of %d", i, s.entries[i].partition, last, id)
				}
				last = i
				seen++
			}
		}
		if seen != 100 {
			t.Fatalf("%d of 100 entries are linked", seen)
		}
		s.release()
	}
}

// Records without a key share a partition until it has had its part, then it is another one's turn; over time each has
// some. Partitions without a leader or in trouble are left out.
func TestSticky(t *testing.T) {
	r := testRoute(6, 2)
	r.partitions[4].troubled.Store(true)
	got := map[int32]int{}
	last, runs := int32(-1), 0
	for range 400 {
		p := r.stick(stickyBytes / 4)
		if p.id != last {
			last = p.id
			runs++
		}
		got[p.id]++
	}
	if runs != 100 {
		t.Errorf("%d changes of the partition, want 100", runs)
	}
	if len(got) != 4 || got[2] != 0 || got[4] != 0 {
		t.Errorf("uses %v", got)
	}
	r = testRoute(2, 0, 1)
	if ids := assigned(r, "", ""); ids[0] != ids[1] {
		t.Errorf("records of one chunk went to %v", ids)
	}
}
