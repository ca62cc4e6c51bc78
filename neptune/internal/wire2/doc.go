// Package wire2 decodes the answers of Neptune 2.x: the JSON of the API that the Python package neptune
// 1.14 reads, by that client's source and the service's API description of August 2023. Fields that are
// not known are passed over. Numbers may be text, and NaN and Infinity may be bare, as Python's
// encoder writes them.
package wire2
