package dberr

import "reflect"

// sqliteCode returns the extended code of an error, or the primary code if the driver has no
// other. modernc has a method Code, ncruces also ExtendedCode, mattn has fields.
//
// The names of the methods must be constants: with a name in a variable, the linker keeps
// every method of the whole program. That made the program of the README a third larger.
func sqliteCode(err error) (int64, bool) {
	value := reflect.ValueOf(err)
	for _, method := range []reflect.Value{value.MethodByName("ExtendedCode"), value.MethodByName("Code")} {
		if method.IsValid() && method.Type().NumIn() == 0 && method.Type().NumOut() == 1 {
			return integer(method.Call(nil)[0])
		}
	}
	if code, ok := field(err, "ExtendedCode"); ok {
		return code, true
	}
	return field(err, "Code")
}

// field returns an integer field of an error, such as that of go-sql-driver.
func field(err error, name string) (int64, bool) {
	value := reflect.Indirect(reflect.ValueOf(err))
	if value.Kind() != reflect.Struct {
		return 0, false
	}
	return integer(value.FieldByName(name))
}

func integer(value reflect.Value) (int64, bool) {
	switch {
	case value.IsValid() && value.CanInt():
		return value.Int(), true
	case value.IsValid() && value.CanUint():
		return int64(value.Uint()), true
	}
	return 0, false
}
