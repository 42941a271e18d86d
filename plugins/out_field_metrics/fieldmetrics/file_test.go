package fieldmetrics

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One file for each thing that can be wrong with a rule. It ends with what is said about it, a comment a line; the error
// is that and nothing else, with the file's name and the line.
func TestInvalidFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			content, want, _ := strings.Cut(string(b), "# error: ")
			// The comments are no part of what is read: they stand in no place where YAML minds.
			path := filepath.Join(t.TempDir(), "metrics.yaml")
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err = readMetrics(path)
			if err == nil {
				t.Fatal("no error")
			}
			got := strings.ReplaceAll(err.Error(), path+":", "")
			if strings.Count(err.Error(), path+":") < strings.Count(err.Error(), "\n")+1 {
				t.Errorf("a line does not begin with the file: %v", err)
			}
			want = strings.ReplaceAll(strings.TrimSpace(want), "\n# error: ", "\n")
			if *update {
				content += "# error: " + strings.ReplaceAll(got, "\n", "\n# error: ") + "\n"
				if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
