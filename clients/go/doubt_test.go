// SPDX-License-Identifier: Apache-2.0

package virtrigaud_test

import (
	"context"
	"strings"
	"testing"

	virtrigaud "example.org/virtrigaud"
	"example.org/virtrigaud/virtrigaudtest"
)

// The connection breaks when a daemon has refused, or applied, the first line with values, and before it says so.
func TestTheFirstLineWithValuesMayBeInDoubt(t *testing.T) {
	for name, options := range map[string]virtrigaudtest.Options{"new": {}, "old": {Plain: true}, "between": {PlainLines: true}} {
		t.Run(name, func(t *testing.T) {
			d, path := listen(t, options)
			breaks := 3
			d.Breaks(func(line []byte) virtrigaudtest.Break {
				if breaks > 0 && strings.Contains(string(line), `"values"`) {
					breaks--
					return virtrigaudtest.After
				}
				return virtrigaudtest.None
			})
			set, j := virtrigaud.NewSet(), &journal{}
			operation := describe(set)
			for i := 0; i < 200; i++ {
				operation.Observe(1)
			}
			c := open(set, path, j)
			if err := c.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			agree(t, d, closeAll(t, c, j), 200, j)
			if len(d.Refused()) != map[string]int{"new": 0, "old": 4, "between": 4}[name] {
				t.Errorf("refused: %v", d.Refused())
			}
		})
	}
}
