package interop

import (
	"context"
	"fmt"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Voice is what a member of a group tells of itself, see ../../python/members.py. Its methods may be called from any goroutine.
type Voice struct {
	mutex sync.Mutex
	owned []int32
}

// Leaving ends when the member is asked to leave.
func Leaving() context.Context {
	leaving, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	context.AfterFunc(leaving, stop)
	return leaving
}

// Row tells of a record.
func (voice *Voice) Row(partition int32, offset int64, value []byte) {
	voice.mutex.Lock()
	defer voice.mutex.Unlock()
	fmt.Println("row", partition, offset, string(value))
}

// Owns tells which partitions the member has got, or has lost.
func (voice *Voice) Owns(partitions []int32, owns bool) {
	voice.mutex.Lock()
	defer voice.mutex.Unlock()
	voice.owned = slices.DeleteFunc(voice.owned, func(owned int32) bool { return slices.Contains(partitions, owned) })
	if owns {
		voice.owned = append(voice.owned, partitions...)
	}
	slices.Sort(voice.owned)
	fmt.Println("own", strings.Trim(strings.ReplaceAll(fmt.Sprint(voice.owned), " ", ","), "[]"))
}
