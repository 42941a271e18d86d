package chunk_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flbgo/shared/chunk"
	"flbgo/shared/record"
)

// captured is what a file in testdata/chunks holds.
type captured struct {
	records, groups int
	modern          bool
	metadata        bool   // some record has metadata
	whole           bool   // times are whole seconds
	field           string // that every record has
}

// Chunks of real hosts are walked to their end without damage, and every event is of the form that is expected there.
func TestCapturedChunks(t *testing.T) {
	want := map[string]captured{
		"1.8.15-tail-json":             {records: 20, field: "msg"},
		"1.8.15-tail-json-zone":        {records: 12, field: "msg"},
		"1.8.15-tail-lines":            {records: 10, field: "log"},
		"1.8.15-tail-multiline":        {records: 40, field: "log"},
		"1.8.15-types":                 {records: 1, field: "big"},
		"1.8.15-kubernetes":            {records: 1, field: "kubernetes"},
		"1.8.15-forward-whole-seconds": {records: 1, whole: true, field: "msg"},
		"1.8.15-forward-from-5.1.1":    {records: 1, modern: true, metadata: true, field: "msg"},
		"5.1.1-tail-json":              {records: 20, modern: true, field: "msg"},
		"5.1.1-tail-json-zone":         {records: 12, modern: true, field: "msg"},
		"5.1.1-tail-lines":             {records: 10, modern: true, field: "log"},
		"5.1.1-tail-multiline":         {records: 39, modern: true, field: "log"},
		"5.1.1-types":                  {records: 1, modern: true, field: "big"},
		"5.1.1-kubernetes":             {records: 1, modern: true, field: "kubernetes"},
		"5.1.1-forward-whole-seconds":  {records: 1, modern: true, whole: true, field: "msg"},
		"5.1.1-forward-from-5.1.1":     {records: 1, modern: true, metadata: true, field: "msg"},
		"5.1.1-otlp":                   {records: 4, groups: 3, modern: true, metadata: true},
	}
	files, err := filepath.Glob("../../testdata/chunks/*.msgpack")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d files, want %d (%v)", len(files), len(want), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".msgpack")
		t.Run(name, func(t *testing.T) {
			c, ok := want[name]
			if !ok {
				t.Fatal("nothing is said about it")
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			field, err := record.ParsePath("$log")
			if c.field != "" {
				field, err = record.ParsePath("$" + c.field)
			}
			if err != nil {
				t.Fatal(err)
			}
			got := captured{field: c.field, modern: c.modern, whole: true}
			var joined []byte
			starts, ends := 0, 0
			var r chunk.Reader
			r.Reset(content)
			for k := r.Next(); k != chunk.End; k = r.Next() {
				joined = append(joined, r.Raw...)
				if r.Modern != c.modern {
					t.Errorf("at %d: modern is %v", r.Offset(), r.Modern)
				}
				switch k {
				case chunk.Damaged:
					t.Fatalf("at %d: %v", r.Offset(), r.Reason)
				case chunk.GroupStart:
					starts++
				case chunk.GroupEnd:
					ends++
				case chunk.Record:
					got.records++
					got.whole = got.whole && r.Nsec == 0
					if pairs, _, ok := chunk.MapHeader(r.Metadata); ok && pairs > 0 {
						got.metadata = true
					}
					if _, ok := field.Find(r.Body); c.field != "" && !ok {
						t.Errorf("at %d: no %s in %x", r.Offset(), c.field, r.Body)
					}
					if r.InGroup != (c.groups > 0) {
						t.Errorf("at %d: in a group is %v", r.Offset(), r.InGroup)
					}
					if r.Sec < 1_700_000_000 || r.Sec > 1_900_000_000 {
						t.Errorf("at %d: the time is %d", r.Offset(), r.Sec)
					}
				}
			}
			got.groups = starts
			if starts != ends {
				t.Errorf("%d groups begin and %d end", starts, ends)
			}
			if got != c {
				t.Errorf("got %+v, want %+v", got, c)
			}
			if !bytes.Equal(joined, content) {
				t.Error("the events put together are not the chunk")
			}
		})
	}
}

// The OTLP records know their resource: the group's, while it is open.
func TestCapturedGroups(t *testing.T) {
	content, err := os.ReadFile("../../testdata/chunks/5.1.1-otlp.msgpack")
	if err != nil {
		t.Fatal(err)
	}
	service, err := record.ParsePath("$resource['attributes']['service.name']")
	if err != nil {
		t.Fatal(err)
	}
	var services []string
	var r chunk.Reader
	r.Reset(content)
	for k := r.Next(); k != chunk.End; k = r.Next() {
		if k != chunk.Record {
			continue
		}
		v, ok := service.Find(r.GroupBody)
		text, isText := v.Text()
		if !ok || !isText {
			t.Fatalf("at %d: the group's body is %x", r.Offset(), r.GroupBody)
		}
		services = append(services, string(text))
	}
	if got := strings.Join(services, " "); got != "checkout checkout checkout payment" {
		t.Errorf("services of the records: %s", got)
	}
}
