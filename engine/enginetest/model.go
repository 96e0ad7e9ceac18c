// Package enginetest is what the tests of the engine share: a model of what a
// store must hold, and events to fill it with. The tests that crash lakes, make
// their file operations fail, and kill their processes stand beside it. It is for
// tests only and does not know the engine.
//
// # The model
//
// One client sends records and hears of each batch whether it is kept. A store may
// then hold what was acknowledged, and of what was sent last and not
// acknowledged, the beginning; it must hold these in the order of sending, each
// byte for byte, and nothing else:
//
//	sent          r0 r1 r2 r3 │ r4 r5 r6     r3 is the last one acknowledged
//	allowed       r0 r1 r2 r3
//	              r0 r1 r2 r3   r4
//	              r0 r1 r2 r3   r4 r5 …
//	not allowed   r0 r1 r2                   lost
//	              r0 r1 r2 r3   r5           a gap
//	              r0 r1 r2 r3   r3           doubled
package enginetest

import (
	"bytes"
	"fmt"
	"sync"
)

// Model is what one client has sent and heard. Its methods may be called from
// several goroutines, so that it can be looked at while the client waits.
type Model struct {
	mu    sync.Mutex
	sent  [][]byte
	acked int
}

// Send notes records that are about to be sent.
func (m *Model) Send(records [][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, records...)
}

// Ack notes that everything sent so far is acknowledged.
func (m *Model) Ack() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acked = len(m.sent)
}

// Refuse notes that what was sent and not acknowledged was refused, and is not
// kept.
func (m *Model) Refuse() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = m.sent[:m.acked]
}

// Settle notes what a store was found to hold: that is now what it must hold.
func (m *Model) Settle(n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = m.sent[:n]
	m.acked = int(n)
}

// Copy returns the model as it is now.
func (m *Model) Copy() *Model {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Model{sent: m.sent[:len(m.sent):len(m.sent)], acked: m.acked}
}

// Len returns how many records were sent.
func (m *Model) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sent)
}

// Compare says in what a store of n records differs from the model.
func (m *Model) Compare(n uint64, record func(seq uint64) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n < uint64(m.acked) {
		return fmt.Errorf("%d records are there, %d were acknowledged", n, m.acked)
	}
	if n > uint64(len(m.sent)) {
		return fmt.Errorf("%d records are there, only %d were ever sent", n, len(m.sent))
	}
	for seq := range n {
		got, err := record(seq)
		if err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
		if !bytes.Equal(got, m.sent[seq]) {
			return fmt.Errorf("record %d is %s, sent was %s", seq, got, m.sent[seq])
		}
	}
	return nil
}

// Event returns the record of event number i: small, valid, and now and then with
// the oddities that exactness is about.
func Event(i int) []byte {
	key := fmt.Sprintf(`"k/%d"`, i)
	switch i % 11 {
	case 3:
		key = fmt.Sprintf(`"k\/\u00e9/%d"`, i)
	case 5:
		key = fmt.Sprintf(` [ %d , 1.50, -0, null , {} ] `, i)
	case 7:
		key = fmt.Sprintf(`{"a":"é","a":%d}`, i)
	}
	return fmt.Appendf(nil, `{"eventVersion":"1.%02d","userIdentity":{"type":"IAMUser","userName":"user%d","arn":"arn:aws:iam::111122223333:user/user%d"},`+
		`"eventTime":"2026-02-%02dT%02d:%02d:%02dZ","eventSource":"s3.amazonaws.com","eventName":"%s","awsRegion":"eu-west-1",`+
		`"sourceIPAddress":"192.0.2.%d","requestParameters":{"bucketName":"bucket-%d","key":%s},"eventID":"%08x-0000-4000-8000-%012x","readOnly":%v}`,
		i%11, i%7, i%7, 1+i/86400%28, i/3600%24, i/60%60, i%60, [...]string{"GetObject", "PutObject", "ListBuckets"}[i%3], i%251, i%5, key, i*2654435761%(1<<32), i, i%3 != 1)
}

// Events returns the records of the events from one number up to another.
func Events(from, to int) [][]byte {
	out := make([][]byte, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, Event(i))
	}
	return out
}
