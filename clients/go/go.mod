module example.org/virtrigaud

go 1.19
