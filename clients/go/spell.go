// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	hexDigits          = "0123456789abcdef"
	exemplarCharacters = 128 // of its names and values
)

// appendText spells a JSON string. Bytes that are no UTF-8 stay as they are: the daemon refuses them by their reason.
func appendText(text []byte, s string) []byte {
	text = append(text, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			text = append(text, '\\', c)
		case c < ' ':
			text = append(text, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			text = append(text, c)
		}
	}
	return append(text, '"')
}

// appendNumber spells a finite number so that it reads as the same double. Durations, which are whole nanoseconds, are
// spelled faster than strconv can.
func appendNumber(text []byte, v float64) []byte {
	if v >= 0 && v < 1e6 {
		n := uint64(v*1e9 + 0.5)
		if float64(n)/1e9 == v && n < 1<<53 { // the quotient of two exact numbers is rounded as a decimal fraction is
			return appendNanos(text, n)
		}
	}
	if math.Abs(v) < 1e15 && v == math.Trunc(v) {
		return strconv.AppendInt(text, int64(v), 10)
	}
	return strconv.AppendFloat(text, v, 'g', -1, 64)
}

func appendNanos(text []byte, n uint64) []byte {
	text = strconv.AppendUint(text, n/1e9, 10)
	rest := n % 1e9
	if rest == 0 {
		return text
	}
	var digits [10]byte
	digits[0] = '.'
	for i := 9; i > 0; i-- {
		digits[i] = byte('0' + rest%10)
		rest /= 10
	}
	end := 10
	for digits[end-1] == '0' {
		end--
	}
	return append(text, digits[:end]...)
}

// spell returns a line up to its labels. Values that are missing are left out, and those that are too many get names that
// no metric declares: the daemon refuses both by their reasons.
func (v *vec) spell(values []string) []byte {
	key := `{"metric":`
	if v.kind == kindEvent {
		key = `{"event":`
	}
	text := appendText([]byte(key), v.name)
	for i, value := range values {
		if i == 0 {
			text = append(text, `,"labels":{`...)
		} else {
			text = append(text, ',')
		}
		name := "surplus_" + strconv.Itoa(i)
		if i < len(v.labels) {
			name = v.labels[i]
		}
		text = append(appendText(text, name), ':')
		text = appendText(text, value)
	}
	if len(values) > 0 {
		text = append(text, '}')
	}
	return text
}

// isExemplar says whether the daemon takes an exemplar with these labels.
func isExemplar(labels map[string]string) bool {
	characters := 0
	for name, value := range labels {
		if !isLabelName(name) || !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
			return false
		}
		characters += len(name) + utf8.RuneCountInString(value)
	}
	return len(labels) > 0 && characters <= exemplarCharacters
}

func isLabelName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

const year2000 = 946684800000 // in milliseconds, before which the daemon refuses a time

func spellExemplar(labels map[string]string) []byte {
	return appendLabels([]byte(`,"exemplar":{"labels":`), labels)
}

// appendTime ends an exemplar. It leaves the time out where the clock was wrong, or has been set back since, for which the daemon
// would refuse the line: the time of its arrival is taken then.
func appendTime(text []byte, when, now time.Time) []byte {
	if ms := when.UnixMilli(); ms >= year2000 && ms <= now.UnixMilli() {
		text = append(text, `,"timestamp":`...)
		text = strconv.AppendFloat(text, float64(ms)/1000, 'f', 3, 64)
	}
	return append(text, '}')
}

// appendLabels spells an object, in the order of the names.
func appendLabels(text []byte, labels map[string]string) []byte {
	names := make([]string, 0, len(labels))
	for name := range labels {
		names = append(names, name)
	}
	sort.Strings(names)
	text = append(text, '{')
	for i, name := range names {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(appendText(text, name), ':')
		text = appendText(text, labels[name])
	}
	return append(text, '}')
}
