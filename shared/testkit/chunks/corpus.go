package chunks

import (
	"math"
	"strings"

	"github.com/tinylib/msgp/msgp"
)

// Case is a chunk with what a reader must find in it.
type Case struct {
	Name    string
	Bytes   []byte
	Records int
	Damaged int // stretches
}

// Corpus returns one chunk for each thing about chunks that a plugin could get wrong. No record in it has a field that
// a default configuration of the plugins looks at, except "msg".
func Corpus() []Case {
	group := Map("resource", Pairs{"attributes", Pairs{"host.name", "a"}})
	scope := Map("schema", "otlp", "resource_id", 0, "scope_id", 0)
	values := []any{
		"nil", nil, "true", true, "false", false,
		"int", -5, "large", int64(math.MinInt64), "unsigned", uint64(math.MaxUint64),
		"float", 0.1, "single", float32(0.5), "nan", math.NaN(), "infinite", math.Inf(-1),
		"text", "schön", "invalid", "\xff\xfe", "zero", "a\x00b", "empty", "",
		"bytes", []byte{0, 1, 2}, "array", []any{1, "two", []any{}}, "map", Pairs{"a", Pairs{"b", Pairs{"c", 1}}},
		"ext", &msgp.RawExtension{Type: 5, Data: []byte{1, 2, 3}},
	}
	var wide Pairs
	for i := range 20 {
		wide = append(wide, strings.Repeat("k", i+1), i)
	}
	deep := any("the bottom")
	for range 200 {
		deep = []any{deep}
	}
	whole := New().Record("msg", "a").Bytes()
	return []Case{
		{"nothing", nil, 0, 0},
		{"one modern record", New().Record("msg", "hello").Bytes(), 1, 0},
		{"one old record", Old().Record("msg", "hello").Bytes(), 1, 0},
		{"an empty body", New().Record().Record("msg", "x").Bytes(), 2, 0},
		{"both forms", append(New().Record("msg", "new").Bytes(), Old().Record("msg", "old").Bytes()...), 2, 0},
		{"metadata", New().RecordWith(Map("otlp", Pairs{"trace_id", "x"}), "msg", "x").Bytes(), 1, 0},
		{"values of every kind, modern", New().Record(values...).Bytes(), 1, 0},
		{"values of every kind, old", Old().Record(values...).Bytes(), 1, 0},
		{"more than 15 fields", New().Record(wide...).Bytes(), 1, 0},
		{"a value 200 arrays deep", New().Record("deep", deep).Record("msg", "x").Bytes(), 2, 0},
		{"a value of 1 MB", New().Record("log", strings.Repeat("x", 1<<20)).Record("msg", "x").Bytes(), 2, 0},
		{"a key twice", New().Record("msg", "first", "msg", "second").Bytes(), 1, 0},
		{"keys that are no text", New().Record(1, "one", nil, "nil", Pairs{"a", 1}, "map", []byte("bin"), 2).Bytes(), 1, 0},
		{"a map head longer than needed", New().Damage(whole[:len(whole)-7]...).Damage(0xde, 0, 1).Damage(whole[len(whole)-6:]...).Bytes(), 1, 0},
		{"an integer as time", New().RecordAs(Value(Start), "msg", "x").Bytes(), 1, 0},
		{"an integer as time, old", Old().RecordAs(Value(Start), "msg", "x").Bytes(), 1, 0},
		{"a float as time, old", Old().RecordAs(Value(Start+0.5), "msg", "x").Bytes(), 1, 0},
		{"an ext 8 as time", New().RecordAs(Ext8Time(Start, 5), "msg", "x").Bytes(), 1, 0},
		{"a time after 2038", New().At(math.MaxUint32-2, 7).Record("msg", "x").Bytes(), 1, 0},
		{"a group", New().Group(scope, group).Record("msg", "in").Record("msg", "in, too").EndGroup().Bytes(), 2, 0},
		{"two groups and a record outside", New().Group(scope, group).Record("msg", "a").EndGroup().Record("msg", "b").
			Group(scope, nil).Record("msg", "c").EndGroup().Bytes(), 3, 0},
		{"an empty group", New().Group(scope, group).EndGroup().Bytes(), 0, 0},
		{"a group that is never closed", New().Group(scope, group).Record("msg", "a").Bytes(), 1, 0},
		{"no group to close", New().EndGroup().Record("msg", "a").Bytes(), 1, 0},
		{"an integer between records", New().Record("msg", "a").Damage(0x07).Record("msg", "b").Bytes(), 2, 1},
		{"an event whose body is no map", New().Record("msg", "a").Damage(0x92, 0x92, 0xd7, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x80, 0xa1, 'x').Record("msg", "b").Bytes(), 2, 1},
		{"a byte that msgpack never uses", New().Record("msg", "a").Damage(0xc1).Record("msg", "b").Bytes(), 2, 1},
		{"a last record cut short", New().Record("msg", "a").Record("msg", "b").Cut(2).Bytes(), 1, 1},
		{"a last group marker cut short", New().Group(scope, group).Record("msg", "a").EndGroup().Cut(1).Bytes(), 1, 1},
		{"text", []byte("GET / HTTP/1.1\r\n"), 0, 1},
		{"a length of 4 GB", New().Record("msg", "a").Damage(0x92, 0x92, 0xd7, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x80, 0xdf, 0xff, 0xff, 0xff, 0xff).Bytes(), 1, 1},
	}
}
