package mailsync

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"
	"sync"
)

// How messages travel: a feeder reads bodies from the source and hands them in batches to the writer, which gives them to the
// destination. There are two batches, so that one fills while the other is written; a message too large for memory is handed over
// while it is being read. Each of the two sees to its own side: the feeder waits while the writer reconnects, and the other way round.

// Bounds of what is held in memory.
const (
	batchOctets   = 4 << 20
	batchMessages = 200
	batches       = 2
	// streamAbove is the size from which a message is not held in memory.
	streamAbove = 1 << 20
)

// An outgoing is a message on its way.
type outgoing struct {
	ref    Ref
	size   int64
	data   []byte    // in memory
	stream *body     // or straight from the source
	digest *digester // of a stream that looks like another message, else nil
}

// A batch is what the feeder hands to the writer.
type batch struct {
	list []outgoing
	buf  []byte
	done chan bool // for a stream: whether the message is dealt with; else it is needed again
}

func (b *batch) reset() { b.list, b.buf, b.done = b.list[:0], b.buf[:0], nil }

func (b *batch) fits(size int64) bool {
	return len(b.list) < batchMessages && int64(len(b.buf))+size <= batchOctets
}

// room returns the place for one more message that fits.
func (b *batch) room(size int64) []byte {
	if cap(b.buf) == 0 {
		b.buf = make([]byte, 0, batchOctets)
	}
	from := len(b.buf)
	return b.buf[from : from+int(size)]
}

// copy copies messages of a folder. The error is a *StopError.
func (r *run) copy(ctx context.Context, f *folder, missing []Ref) error {
	if len(missing) == 0 {
		return nil
	}
	f.wrote = true
	f.sent = slices.Grow(f.sent, len(missing))
	w := &writing{run: r, folder: f, limit: batchMessages, losses: map[Ref]int{}, plain: map[Ref]bool{}}
	if err := r.pass(ctx, w, missing); err != nil {
		return err
	}
	// Messages at which the connection to the destination ended again and again go once more, each alone.
	for aside := w.aside; len(aside) > 0; aside = aside[1:] {
		w.alone = true
		if err := r.pass(ctx, w, aside[:1]); err != nil {
			return err
		}
	}
	return nil
}

// pass lets feeder and writer work on a list of messages. The feeder's failure leaves the writer the time to finish what it has.
func (r *run) pass(ctx context.Context, w *writing, list []Ref) error {
	full, free := make(chan *batch), make(chan *batch, batches)
	for i := range r.batches {
		r.batches[i].reset()
		free <- &r.batches[i]
	}
	feedCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var fed error
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(full)
		f := &feeding{run: r, folder: w.folder, full: full, free: free, same: ambiguous(w.folder, list)}
		fed = f.feed(feedCtx, list)
	})
	var written error
	for b := range full {
		if written = w.write(ctx, b); written != nil {
			cancel(written)
			break
		}
		b.reset()
		free <- b // it has room for all there are
	}
	wg.Wait()
	if ctx.Err() != nil {
		return ended(ctx)
	}
	return cmp.Or(written, fed)
}

// ambiguous returns the messages that share key and size with another, or have no key: their digests tell which of them arrived
// when a connection was lost. Once they are sent it is too late to ask.
func ambiguous(f *folder, list []Ref) map[Ref]bool {
	type looks struct {
		by   KeyKind
		key  [16]byte
		size int64
	}
	first, same := map[looks]Ref{}, map[Ref]bool{}
	for _, ref := range list {
		m := f.message(ref)
		l := looks{m.By, m.Key, m.Size}
		before, twin := first[l]
		if !twin {
			first[l] = ref
		} else {
			same[before], same[ref] = true, true
		}
		if m.By == ByDigest {
			same[ref] = true
		}
	}
	return same
}

// A feeding is the feeder's side of a pass.
type feeding struct {
	*run
	folder *folder
	box    int32
	full   chan<- *batch
	free   <-chan *batch
	same   map[Ref]bool // see ambiguous
	batch  *batch       // being filled, or nil
}

// feed reads the messages, mailbox by mailbox.
func (f *feeding) feed(ctx context.Context, list []Ref) error {
	for i, b := range f.folder.boxes {
		f.box = int32(i)
		var uids []uint32
		for _, ref := range list {
			if ref.Box == f.box {
				uids = append(uids, b.contents.Messages[ref.Index].UID)
			}
		}
		if len(uids) == 0 {
			continue
		}
		bodies := &fetching{
			link: f.source, name: b.Source.Name,
			size:   func(uid uint32) int64 { return f.folder.message(f.ref(uid)).Size },
			take:   func(uid uint32, body *body) error { return f.take(ctx, f.ref(uid), body) },
			failed: func(uid uint32, code, text string) { f.fail(f.folder, f.ref(uid), "fetch", code, text) },
			gone:   func(uid uint32) { f.settle(f.folder, skipped, f.ref(uid)) },
		}
		if err := bodies.run(ctx, uids); err != nil {
			return err
		}
		if err := f.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ref returns the message of a UID that was asked for.
func (f *feeding) ref(uid uint32) Ref {
	i, _ := f.folder.boxes[f.box].contents.Find(uid)
	return Ref{f.box, int32(i)}
}

// take takes one body in. What the server announced is the message's size from here on: RFC822.SIZE is only an estimate with
// some servers.
func (f *feeding) take(ctx context.Context, ref Ref, b *body) error {
	m := f.folder.message(ref)
	if b.size == 0 && m.Size > 0 {
		return errNotIt
	}
	listed := m.Size
	if b.size > streamAbove {
		m.Size = b.size
		return f.stream(ctx, ref, b)
	}
	if f.batch != nil && !f.batch.fits(b.size) {
		if err := f.flush(ctx); err != nil {
			return err
		}
	}
	if f.batch == nil {
		var err error
		if f.batch, err = f.next(ctx); err != nil {
			return err
		}
	}
	data := f.batch.room(b.size)
	if _, err := io.ReadFull(b, data); err != nil {
		return err
	}
	if b.size != listed && isStandIn(data) {
		f.fail(f.folder, ref, "fetch", "stand-in", "the server sent a note in place of the message")
		return nil
	}
	m.Size = b.size
	if f.same[ref] {
		d, _ := digestOf(bytes.NewReader(data))
		f.note(f.folder, ref, d)
	}
	f.batch.buf = f.batch.buf[:len(f.batch.buf)+len(data)]
	f.batch.list = append(f.batch.list, outgoing{ref: ref, size: b.size, data: data})
	return nil
}

// isStandIn recognises what Exchange sends for a message that it cannot convert.
func isStandIn(data []byte) bool {
	return bytes.Contains(field(data[:min(len(data), maxIdentity)], "Subject"), []byte("Retrieval using the IMAP4 protocol failed for the following message"))
}

// note keeps the digest of a source message.
func (r *run) note(f *folder, ref Ref, d Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.digests.Source[f.boxes[ref.Box].contents.Key(int(ref.Index))] = d
}

// next waits for an empty batch.
func (f *feeding) next(ctx context.Context) (*batch, error) {
	select {
	case b := <-f.free:
		return b, nil
	case <-ctx.Done():
		return nil, ended(ctx)
	}
}

// flush hands the batch over.
func (f *feeding) flush(ctx context.Context) error {
	b := f.batch
	if b == nil {
		return nil
	}
	f.batch = nil
	select {
	case f.full <- b:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// stream hands a large message over and waits until the writer is through with it.
func (f *feeding) stream(ctx context.Context, ref Ref, b *body) error {
	if err := f.flush(ctx); err != nil {
		return err
	}
	var err error
	if f.batch, err = f.next(ctx); err != nil {
		return err
	}
	done := make(chan bool, 1)
	o := outgoing{ref: ref, size: b.size, stream: b}
	if f.same[ref] {
		o.digest = newDigester()
		b.r = io.TeeReader(b.r, o.digest)
	}
	f.batch.list = append(f.batch.list, o)
	f.batch.done = done
	if err := f.flush(ctx); err != nil {
		return err
	}
	select {
	case dealt := <-done:
		switch {
		case b.err != nil:
			return b.err
		case !dealt:
			return errAgain
		}
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}
