module github.com/cairndb/cairn/cmd/cairn-bench/proofs

go 1.26.0

replace github.com/cairndb/cairn => ../../..

require (
	github.com/cairndb/cairn v0.0.0-00010101000000-000000000000
	github.com/cometbft/cometbft v0.38.26
	github.com/google/trillian v1.3.11
)

require (
	github.com/cosmos/gogoproto v1.7.0 // indirect
	github.com/golang/glog v1.2.5 // indirect
	github.com/golang/mock v1.4.4 // indirect
	github.com/golang/protobuf v1.5.4 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto v0.0.0-20200707001353-8e8330bf89df // indirect
	google.golang.org/grpc v1.83.2 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
