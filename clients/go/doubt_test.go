// SPDX-License-Identifier: Apache-2.0

package virtrigaud_test

import (
	"context"
	"strings"
	"testing"

	virtrigaud "example.org/virtrigaud"
	"example.org/virtrigaud/virtrigaudtest"
)

// The connection breaks three times when the daemon has dealt with a first line and before it says how; then another daemon
// goes on. Of these three calls it is unknown what became of them: none is sent again, so none counts twice.
func TestWhatADaemonDidIsNotInferredFromTheNextOne(t *testing.T) {
	daemons := map[string]virtrigaudtest.Options{"new": {}, "old": {Plain: true}, "between": {PlainLines: true}}
	for from := range daemons {
		for to := range daemons {
			t.Run(from+" then "+to, func(t *testing.T) {
				d, path := listen(t, daemons[from])
				breaks, done := 3, make(chan struct{})
				d.Breaks(func(line []byte) virtrigaudtest.Break {
					switch {
					case breaks == 0:
						return virtrigaudtest.Before
					case !strings.Contains(string(line), `"vm_operation"`):
						return virtrigaudtest.None
					}
					if breaks--; breaks == 0 {
						close(done)
					}
					return virtrigaudtest.After
				})
				set, j := virtrigaud.NewSet(), &journal{}
				operation := describe(set)
				for i := 0; i < 200; i++ {
					operation.Observe(1)
				}
				c := open(set, path, j)
				<-done
				d.SetOptions(daemons[to])
				d.Breaks(nil)
				if err := c.Flush(context.Background()); err != nil {
					t.Fatal(err)
				}
				stats := closeAll(t, c, j)
				total, count := counted(d)
				there, refused := uint64(200), 0
				if from == "between" {
					there, refused = 197, 3
				}
				if to == "between" {
					refused++
				}
				if total != there || count != there || stats.Applied != 200 || stats.Unknown != 3 || stats.Lost != 0 {
					t.Errorf("%d and %d are there: %+v\n%s", total, count, stats, j)
				}
				if len(d.Refused()) != refused || countSessions(d) != 1 {
					t.Errorf("refused in %d sessions: %v", countSessions(d), d.Refused())
				}
			})
		}
	}
}
