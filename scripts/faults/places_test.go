package main

import (
	"bytes"
	"compress/gzip"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"flbgo/scripts/internal/pipeline"
)

// A line that is both in an archive and in a file that tail reads counts for the latter; what was cut is nowhere.
func TestOnDisk(t *testing.T) {
	dir := t.TempDir()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(`{"seq":1}` + "\n" + `{"seq":2}` + "\n" + `{"se`))
	z.Close()
	for name, content := range map[string][]byte{
		"zap.log": []byte(`{"seq":4}` + "\n"), "zap.log.1": []byte(`{"seq":2}` + "\n" + `{"seq":3}` + "\n"),
		"zap.log.2.gz": zipped.Bytes(), "slog.log": []byte("no JSON\n" + `{"seq":1}` + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &Run{Pipeline: &pipeline.Pipeline{Logs: dir}}
	files, at, err := r.onDisk()
	if err != nil {
		t.Fatal(err)
	}
	want := map[event]place{{"zap", 1}: archived, {"zap", 2}: plain, {"zap", 3}: plain, {"zap", 4}: plain, {"slog", 1}: plain}
	if !maps.Equal(at, want) {
		t.Errorf("%v, want %v", at, want)
	}
	if got := files[filepath.Join(dir, "zap.log.2.gz")]; !slices.Equal(got, []event{{"zap", 1}, {"zap", 2}}) || len(files) != 4 {
		t.Errorf("%d files, the archive has %v", len(files), got)
	}
	if at[event{"zap", 9}] != nowhere {
		t.Error("what is in no file is somewhere")
	}
}
