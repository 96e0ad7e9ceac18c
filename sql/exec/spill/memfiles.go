package spill

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// MemFiles keeps temporary files in memory. Its zero value is ready to use.
type MemFiles struct {
	mu    sync.Mutex
	next  int
	files map[string]*memFile
}

type memFile struct{ bytes.Buffer }

func (f *memFile) Close() error { return nil }

// Create implements Files.
func (m *MemFiles) Create() (string, io.WriteCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = map[string]*memFile{}
	}
	m.next++
	name := fmt.Sprintf("%06d", m.next)
	m.files[name] = &memFile{}
	return name, m.files[name], nil
}

type memReader struct{ *bytes.Reader }

func (memReader) Close() error { return nil }

// Open implements Files.
func (m *MemFiles) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[name]
	if !ok {
		return nil, fmt.Errorf("no temporary file %s", name)
	}
	return &memReader{bytes.NewReader(f.Bytes())}, nil
}

// Remove implements Files.
func (m *MemFiles) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.files[name]; !ok {
		return fmt.Errorf("no temporary file %s", name)
	}
	delete(m.files, name)
	return nil
}

// Len returns how many files there are.
func (m *MemFiles) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.files)
}

// Names returns the files there are, in no order.
func (m *MemFiles) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.files {
		names = append(names, name)
	}
	return names
}

// Change lets a test change the bytes of a file.
func (m *MemFiles) Change(name string, change func([]byte)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m.files[name].Bytes())
}
