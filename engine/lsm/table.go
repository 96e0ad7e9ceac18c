package lsm

import (
	"os"

	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var errNotExist = os.ErrNotExist

func newFileWritable(f vfs.File) objstorage.Writable { return objstorageprovider.NewFileWritable(f) }
