// Package group keeps lanes of one concurrency group apart on one host,
// whichever process runs them: a group is a locked file. The lock ends with the
// process that holds it, however that ends.
//
// It knows names and files, no lane and no plan.
package group
