// Package atomicfile writes files that take their places whole: who opens one sees the old content or the new, and after an
// error the old one stands there as before.
package atomicfile

import (
	"errors"
	"io"
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

// Stream writes a file of what write writes, without holding it in memory, and waits until that is on the disk. It takes its
// place if write returns nil.
func Stream(path string, mode fs.FileMode, write func(io.Writer) error) error {
	staged, err := stageFrom(path, mode, true, write)
	if err == nil {
		err = move(staged, path)
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
	return stageFrom(f.Path, f.Mode, wait, func(w io.Writer) error {
		_, err := w.Write(f.Data)
		return err
	})
}

func stageFrom(path string, mode fs.FileMode, wait bool, write func(io.Writer) error) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	err = errors.Join(write(file), file.Chmod(mode))
	if wait && err == nil {
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
