package main

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"flbgo/scripts/internal/fluentbit"
)

// needTmpfs is a disk of the suite's own, of a size that can be filled.
var needTmpfs = Need{Name: "a tmpfs of its own", Missing: func(context.Context, fluentbit.Host) string {
	if os.Geteuid() != 0 {
		return "mounting one needs root"
	}
	// Root of a container is not allowed to, as a rule.
	dir, err := os.MkdirTemp("", "flbgo-faults-tmpfs-")
	if err != nil {
		return err.Error()
	}
	defer os.Remove(dir)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		return fmt.Sprintf("mounting one: %v", err)
	}
	if err := syscall.Unmount(dir, 0); err != nil {
		return fmt.Sprintf("unmounting one: %v", err)
	}
	return ""
}}

// mount puts a tmpfs of so many bytes over the folder until the run has ended, however it ends.
func (r *Run) mount(dir string, size int) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		return fmt.Errorf("tmpfs on %s: %w", dir, err)
	}
	r.Cleanup(func() error {
		// At once for everybody but those who still have files open in it.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", dir, err)
		}
		return nil
	})
	return nil
}

// diskUse is how many bytes of the disk under a folder are in use, and how large it is.
func diskUse(dir string) (used, size uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", dir, err)
	}
	return (st.Blocks - st.Bfree) * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), nil
}
