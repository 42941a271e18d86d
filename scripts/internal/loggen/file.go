package loggen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// logFile is a log file that rotates by rename and create, as lumberjack and
// most logrotate rules do: NAME becomes NAME.1, later NAME.2 and so on, none is
// ever renamed twice or deleted.
type logFile struct {
	path string
	next int // number of the next rotated file
	f    *os.File
}

func openLog(path string) (*logFile, error) {
	l := &logFile{path: path, next: 1}
	old, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for _, e := range old {
		number, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if n, err := strconv.Atoi(number); ok && err == nil && n >= l.next {
			l.next = n + 1
		}
	}
	return l, l.create(0)
}

func (l *logFile) create(flag int) (err error) {
	// O_APPEND: somebody may truncate the file (logrotate's copytruncate).
	l.f, err = os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|flag, 0o644)
	return err
}

func (l *logFile) rotate() error {
	if err := l.f.Close(); err != nil {
		return err
	}
	if err := os.Rename(l.path, fmt.Sprintf("%s.%d", l.path, l.next)); err != nil {
		return err
	}
	l.next++
	return l.create(os.O_EXCL)
}

// moved tells whether the name leads to another file than the one that is open, or to none.
func (l *logFile) moved() (bool, error) {
	here, err := l.f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return !os.SameFile(here, there), err
}

func (l *logFile) reopen() error {
	if err := l.f.Close(); err != nil {
		return err
	}
	return l.create(0)
}
