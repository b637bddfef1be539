// SPDX-License-Identifier: Apache-2.0

// Package virtrigaudgrpc records gRPC calls. It is a module of its own, since it needs google.golang.org/grpc.
//
// An interceptor is made for an event whose last labels, in this order, are the method and the code, and whose value is the
// duration in seconds. The caller of a provider records the event "rpc" of the built-in catalogue:
//
//	var rpc = set.Event("rpc", "provider_type", "method", "code")
//
//	grpc.Dial(address,
//		grpc.WithUnaryInterceptor(virtrigaudgrpc.UnaryClient(rpc.With("vsphere"))),
//		grpc.WithStreamInterceptor(virtrigaudgrpc.StreamClient(rpc.With("vsphere"))))
//
// A provider that recorded the same event in its server would count each call twice: what a server records is an event of the
// site's own, in a file of catalog.d.
//
// The method is the last part of gRPC's full name, the code is spelled as Go does ("InvalidArgument"); the built-in catalogue
// knows both.
package virtrigaudgrpc

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	virtrigaud "example.org/virtrigaud"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// call is one that runs.
type call struct {
	event  virtrigaud.Event
	method string
	begin  time.Time
	once   sync.Once
}

func start(event virtrigaud.Event, method string) *call {
	return &call{event: event, method: method[strings.LastIndexByte(method, '/')+1:], begin: time.Now()}
}

// end records the call, the first time that it is called.
func (c *call) end(err error) {
	c.once.Do(func() {
		c.event.Observe(time.Since(c.begin).Seconds(), c.method, status.Code(err).String())
	})
}

// UnaryClient records each call that a client makes.
func UnaryClient(event virtrigaud.Event) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
		options ...grpc.CallOption) error {
		c := start(event, method)
		err := invoke(ctx, method, request, reply, conn, options...)
		c.end(err)
		return err
	}
}

// StreamClient records each stream that a client opens, when it ends: with the error that RecvMsg returns, or with the one
// reply of a stream that has no more. One that is given up by its context alone, with no RecvMsg after that, is not recorded.
func StreamClient(event virtrigaud.Event) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer,
		options ...grpc.CallOption) (grpc.ClientStream, error) {
		c := start(event, method)
		stream, err := open(ctx, desc, conn, method, options...)
		if err != nil {
			c.end(err)
			return nil, err
		}
		return &clientStream{stream, c, desc.ServerStreams}, nil
	}
}

type clientStream struct {
	grpc.ClientStream
	call *call
	many bool // replies
}

func (s *clientStream) RecvMsg(message any) error {
	err := s.ClientStream.RecvMsg(message)
	switch {
	case errors.Is(err, io.EOF):
		s.call.end(nil)
	case err != nil || !s.many:
		s.call.end(err)
	}
	return err
}

func (s *clientStream) SendMsg(message any) error {
	err := s.ClientStream.SendMsg(message)
	if err != nil && !errors.Is(err, io.EOF) { // after EOF it is RecvMsg that has the reason
		s.call.end(err)
	}
	return err
}

// UnaryServer records each call that a server answers.
func UnaryServer(event virtrigaud.Event) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		c := start(event, info.FullMethod)
		reply, err := handle(ctx, request)
		c.end(err)
		return reply, err
	}
}

// StreamServer records each stream that a server has served.
func StreamServer(event virtrigaud.Event) grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		c := start(event, info.FullMethod)
		err := handle(server, stream)
		c.end(err)
		return err
	}
}
