// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
)

const longestLine = 65536

// serveEvents takes connections in the background.
func serveEvents(library Library, path string) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		fail(err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		fail(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				fail(err)
			}
			go serveConnection(library, conn)
		}
	}()
}

// serveConnection reads lines where they came to stand, and writes replies when it would wait for more.
func serveConnection(library Library, conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, longestLine+1)
	out := bufio.NewWriterSize(conn, longestLine)
	j := newJudge(library, out)
	for {
		text, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			err = skipLine(in)
			j.tooLong()
		} else if len(text) > 0 {
			j.line(text)
		}
		if err != nil || in.Buffered() == 0 {
			if out.Flush() != nil || err != nil {
				return
			}
		}
	}
}

func skipLine(in *bufio.Reader) error {
	for {
		_, err := in.ReadSlice('\n')
		if err == nil || errors.Is(err, io.EOF) {
			return err
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}
