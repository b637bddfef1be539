module example.com/virtrigaud-push

go 1.19
