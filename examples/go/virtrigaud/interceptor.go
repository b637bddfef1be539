// SPDX-License-Identifier: Apache-2.0

package virtrigaud

import (
	"context"
	"strings"
	"time"
)

// UnaryClientInterceptor tells of each call to a provider as the event "rpc", with the name of the method, its code and
// the seconds that it took. It has the shape of gRPC's interceptor without needing gRPC here:
//
//	interceptor := virtrigaud.UnaryClientInterceptor[*grpc.ClientConn, grpc.CallOption, grpc.UnaryInvoker](
//	    client, "vsphere", func(err error) string { return status.Code(err).String() })
//	grpc.Dial(address, grpc.WithUnaryInterceptor(interceptor))
//
// The catalogue knows gRPC's spelling of codes ("InvalidArgument") and of methods ("Create").
func UnaryClientInterceptor[Conn, Option any, Invoker ~func(context.Context, string, any, any, Conn, ...Option) error](
	client *Client, providerType string, code func(error) string,
) func(context.Context, string, any, any, Conn, Invoker, ...Option) error {
	calls := client.Event("rpc", "provider_type", "method", "code")
	return func(ctx context.Context, method string, request, answer any, conn Conn, invoke Invoker, options ...Option) error {
		begin := time.Now()
		err := invoke(ctx, method, request, answer, conn, options...)
		name := method[strings.LastIndexByte(method, '/')+1:]
		calls.SendValue(time.Since(begin).Seconds(), providerType, name, code(err))
		return err
	}
}
