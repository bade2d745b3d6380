//go:build !linux

package netpath

import "context"

func (s *Survey) look(ctx context.Context) { s.lookPlainly(ctx) }
