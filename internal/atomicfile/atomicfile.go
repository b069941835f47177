// Package atomicfile writes files that take their places whole: who opens one sees the old content or the new, and after an
// error the old one stands there as before.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file to write. Its folder must be there.
type File struct {
	Path string
	Data []byte
	Mode fs.FileMode // of the new file, whatever the old one's was
}

// Write writes a file. It does not wait for the disk: after the machine breaks down the file may lack its content.
func Write(f File) (err error) {
	staged, err := stage(f, false)
	if err == nil {
		err = move(staged, f.Path)
	}
	return err
}

// WriteAll writes all of the files or none, and waits until their content is on the disk: what stood at their paths stays
// until all are ready. Where moving one into its place fails, those before it have been replaced: the one that counts is
// the last.
func WriteAll(files ...File) error {
	staged := make([]string, 0, len(files))
	for _, f := range files {
		name, err := stage(f, true)
		if err != nil {
			return errors.Join(err, remove(staged))
		}
		staged = append(staged, name)
	}
	for i, f := range files {
		if err := move(staged[i], f.Path); err != nil {
			return errors.Join(err, remove(staged[i+1:]))
		}
	}
	return nil
}

// stage writes a file's content to a temporary file in its folder and returns the name of that.
func stage(f File, wait bool) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(f.Path), "."+filepath.Base(f.Path)+".*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(f.Data)
	err = errors.Join(err, file.Chmod(f.Mode))
	if wait {
		err = errors.Join(err, file.Sync())
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// move gives a staged file its name, or removes it.
func move(staged, path string) error {
	err := os.Rename(staged, path)
	if err != nil {
		err = errors.Join(err, os.Remove(staged))
	}
	return err
}

func remove(staged []string) error {
	var errs []error
	for _, name := range staged {
		errs = append(errs, os.Remove(name))
	}
	return errors.Join(errs...)
}
