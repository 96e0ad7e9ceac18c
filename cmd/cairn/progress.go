package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress draws a bar on a terminal and nothing elsewhere.
type progress struct {
	bar *progressbar.ProgressBar
}

// newProgress starts a bar that counts to total, in bytes or things.
func newProgress(w io.Writer, bytes bool) *progress {
	if !onTerminal(w) {
		return &progress{}
	}
	return &progress{bar: progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(w),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionFullWidth(),
	)}
}

func (p *progress) set(done, total int64, format string, args ...any) {
	if p.bar == nil {
		return
	}
	if total > 0 && p.bar.GetMax64() != total {
		p.bar.ChangeMax64(total)
	}
	p.bar.Describe(fmt.Sprintf(format, args...))
	// At the end the bar closes itself; finish does that once, at the right time.
	_ = p.bar.Set64(min(done, max(total-1, 0)))
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
