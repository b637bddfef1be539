// SPDX-License-Identifier: Apache-2.0

package virtrigaud

// Drain hands every line that waits to a function instead of to a daemon, each without its line feed, and takes it for
// dealt with. It is for unit tests, which read it by way of package virtrigaudtest. It returns false, and does nothing,
// while the set has a client.
func (s *Set) Drain(do func(line []byte)) bool {
	if !s.bind.CompareAndSwap(nil, new(Client)) {
		return false
	}
	defer s.bind.Store(nil)
	var b batch
	for {
		record := s.firstForget()
		if record != nil {
			b.fillForget(s, record, true)
		} else {
			b.fill(&s.queue, true)
		}
		begin := 0
		for i := range b.lines {
			do(b.text[begin : b.lines[i].end-1])
			begin = b.lines[i].end
			b.lines[i].done()
		}
		if len(b.lines) == 0 {
			if record == nil {
				return true
			}
			do(append(appendLabels([]byte(`{"forget":{"labels":`), record.labels), "}}"...))
			s.forgotten(record)
		}
		b.clear()
	}
}
