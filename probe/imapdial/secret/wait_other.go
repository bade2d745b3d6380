//go:build !unix

package secret

import (
	"context"
	"os"
)

const openNonblock = 0

// waitReadable looks at ctx alone: here a read that waits cannot be interrupted.
func waitReadable(ctx context.Context, f *os.File) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// keepFromChildren has nothing to do: only listed handles are inherited.
func keepFromChildren(fd int) {}
