module github.com/sledtools/pikaci

go 1.26.0
