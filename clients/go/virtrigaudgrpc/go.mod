module example.org/virtrigaud/virtrigaudgrpc

go 1.19

require (
	example.org/virtrigaud v0.0.0
	google.golang.org/grpc v1.33.3
)

replace example.org/virtrigaud => ../
