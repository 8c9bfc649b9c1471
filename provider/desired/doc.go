// Package desired is what an operator wishes the records to be: clients, users and API keys as
// they are written in a file or in a call of the admin API, what is wrong with them, what they
// change, and making it so.
//
// Everything that writes these records at an operator's word goes through here: the commands,
// the admin API, and the users and clients of "sallyport dev".
package desired
