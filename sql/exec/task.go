package exec

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/cairndb/cairn/segment/column"
)

// operator is a compiled plan node.
type operator interface {
	// open gets ready and returns the tasks that together make the rows, in the
	// order in which their rows stand in the result. An operator that needs all
	// of its input runs it here.
	open(q *query) ([]task, error)
}

// task makes a part of an operator's rows.
type task interface {
	// run calls emit with frame after frame. The frame and what it loads may be
	// used until emit returns.
	run(w *worker, emit func(*frame) error) error
}

// taskFunc is a task that is a function.
type taskFunc func(w *worker, emit func(*frame) error) error

func (t taskFunc) run(w *worker, emit func(*frame) error) error { return t(w, emit) }

// errEnough ends a task whose reader has all the rows it wants.
var errEnough = errors.New("enough rows")

// sink takes the rows of the tasks that one worker runs.
type sink interface {
	// take gets a frame of task number task.
	take(w *worker, task int, f *frame) error
}

// runAll runs tasks on all workers; make returns the sink of one worker.
// Sinks are returned in the order of workers, of which there are no more than
// tasks. A sink may implement taskRunner to run tasks its own way.
func runAll[S sink](q *query, tasks []task, make func() S) ([]S, error) {
	n := max(1, min(q.workers, len(tasks)))
	sinks := []S{}
	for range n {
		sinks = append(sinks, make())
	}
	var next atomic.Int64
	var failed atomic.Bool
	errs := newErrors()
	var wg sync.WaitGroup
	work := func(i int) {
		defer wg.Done()
		err := func() (err error) {
			defer recovered(&err)
			w := q.newWorker()
			for !failed.Load() {
				t := int(next.Add(1)) - 1
				if t >= len(tasks) {
					if s, ok := any(sinks[i]).(finisher); ok {
						return s.finish(w)
					}
					return nil
				}
				if err := q.live(); err != nil {
					return err
				}
				if r, ok := any(sinks[i]).(taskRunner); ok {
					err = r.runTask(w, t, tasks[t])
				} else {
					err = tasks[t].run(w, func(f *frame) error { return sinks[i].take(w, t, f) })
				}
				if err != nil && err != errEnough {
					return err
				}
			}
			return nil
		}()
		if err != nil {
			failed.Store(true)
			errs.add(err)
		}
	}
	wg.Add(n)
	for i := range n - 1 {
		go work(i + 1)
	}
	work(0) // here: it would only wait, and waking another takes as long as a short task
	wg.Wait()
	return sinks, errs.first()
}

// taskRunner is a sink that wants to run tasks itself.
type taskRunner interface {
	runTask(w *worker, number int, t task) error
}

// finisher is a sink with work left when its worker has no more tasks.
type finisher interface {
	finish(w *worker) error
}

// errorList keeps the error that is to be reported when several workers fail.
type errorList struct {
	mu  sync.Mutex
	err error
}

func newErrors() *errorList { return &errorList{} }

// add keeps err unless one is there that says more: cancellation is often the
// consequence of another error.
func (l *errorList) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil || errors.Is(l.err, context.Canceled) {
		l.err = err
	}
}

func (l *errorList) first() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// aheadBatches is how many batches a task may be ahead of the reader: enough to
// keep workers busy, few enough that wide rows do not pile up.
const aheadBatches = 2

// stream runs tasks in parallel and hands out their batches in task order. Its
// batches have all columns loaded. The error of a task comes to light when the
// reader gets to that task, so that a reader who stops early never hears of it.
type stream struct {
	cancel context.CancelFunc
	tasks  []streamed
	at     int
	failed atomic.Int64 // the lowest task that failed; those after it need not run
	done   sync.WaitGroup
}

type streamed struct {
	queue chan *column.Batch // closed when the task has ended
	err   error              // set before queue is closed
}

// newStream starts the tasks; the batches have columns 0 to width-1. Every
// task ends after most rows, unless most is below 0.
func newStream(q *query, tasks []task, width int, most int64) *stream {
	ctx, cancel := context.WithCancel(q.ctx)
	s := &stream{cancel: cancel, tasks: make([]streamed, len(tasks))}
	s.failed.Store(int64(len(tasks)))
	ahead := aheadBatches
	if q.workers == 1 {
		ahead = 0 // whoever asks for one worker has room for little
	}
	for i := range s.tasks {
		s.tasks[i].queue = make(chan *column.Batch, ahead)
	}
	var next atomic.Int64
	for range min(q.workers, len(tasks)) {
		s.done.Add(1)
		go func() {
			defer s.done.Done()
			w := q.newWorker()
			for {
				t := next.Add(1) - 1
				if t >= int64(len(tasks)) || t > s.failed.Load() {
					return
				}
				to := &s.tasks[t]
				err := runInto(ctx, w, tasks[t], width, most, func(b *column.Batch) error {
					select {
					case to.queue <- b:
						return nil
					case <-ctx.Done():
						return canceledBy(ctx.Err())
					}
				})
				if err != nil && err != errEnough {
					to.err = err
					for old := s.failed.Load(); t < old && !s.failed.CompareAndSwap(old, t); old = s.failed.Load() {
					}
				}
				close(to.queue)
			}
		}()
	}
	return s
}

// runInto runs a task and gives its batches, with columns 0 to width-1 loaded, to out.
// The task ends with errEnough after most rows, unless most is below 0.
func runInto(ctx context.Context, w *worker, t task, width int, most int64, out func(*column.Batch) error) (err error) {
	defer recovered(&err)
	if err := ctx.Err(); err != nil {
		return canceledBy(err)
	}
	left := most
	return t.run(w, func(f *frame) error {
		if f.n == 0 {
			return nil
		}
		b := &column.Batch{Len: f.n, Cols: make([]*column.Vector, width)}
		for i := range b.Cols {
			v, err := f.col(w, i)
			if err != nil {
				return err
			}
			b.Cols[i] = v
		}
		if err := out(b); err != nil {
			return err
		}
		if most >= 0 {
			if left -= int64(f.n); left <= 0 {
				return errEnough
			}
		}
		return nil
	})
}

// next returns the next batch, or nil at the end.
func (s *stream) next() (*column.Batch, error) {
	for s.at < len(s.tasks) {
		t := &s.tasks[s.at]
		if b, ok := <-t.queue; ok {
			return b, nil
		}
		if t.err != nil {
			return nil, t.err
		}
		s.at++
	}
	return nil, nil
}

// stop ends the tasks and waits for them.
func (s *stream) stop() {
	s.cancel()
	s.done.Wait()
}
