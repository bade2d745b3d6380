package tui

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	tea "github.com/charmbracelet/bubbletea"
)

// A crew is the goroutines that work for the wizard. bubbletea starts them, but neither waits for them nor survives a panic in
// one with the terminal whole and the trace readable; the crew does both.
type crew struct {
	ctx    context.Context // ends when the wizard must stop; the parent of every engine call
	cancel context.CancelCauseFunc

	crashes chan *crash // of one: the first counts

	mu     sync.Mutex // guards what follows
	atWork int
	closed bool
	idle   chan struct{} // closed when the crew is closed and nobody is at work
}

// A crash is a panic and where it happened.
type crash struct {
	value any
	stack []byte
}

func (c *crash) Error() string { return fmt.Sprintf("internal error: %v", c.value) }

// newCrew returns a crew whose context ends with parent. Whoever makes it calls close.
func newCrew(parent context.Context) *crew {
	ctx, cancel := context.WithCancelCause(parent)
	return &crew{ctx: ctx, cancel: cancel, crashes: make(chan *crash, 1), idle: make(chan struct{})}
}

// command makes a command of f: it is waited for, and a panic in it ends the wizard in an orderly way. After close it does nothing.
func (c *crew) command(f func() tea.Msg) tea.Cmd {
	return func() tea.Msg {
		if !c.enter() {
			return nil
		}
		defer c.leave()
		defer c.catch()
		return f()
	}
}

// catch records a panic of the function that defers it.
func (c *crew) catch() {
	if v := recover(); v != nil {
		c.cancel(fmt.Errorf("internal error: %v", v))
		select {
		case c.crashes <- &crash{value: v, stack: debug.Stack()}:
		default:
		}
	}
}

func (c *crew) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.atWork++
	return true
}

func (c *crew) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.atWork--
	if c.closed && c.atWork == 0 {
		close(c.idle)
	}
}

// close lets nobody start any more. The channel is closed when the last one has finished.
func (c *crew) close() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		if c.atWork == 0 {
			close(c.idle)
		}
	}
	return c.idle
}
