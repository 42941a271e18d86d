package loggen

import "errors"

// No text below may contain "seq=": readers look for the sequence number by it.

var messages = []string{
	"payment authorised", "payment captured", "order placed", "order shipped",
	"cart updated", "inventory reserved", "cache miss, loading from database",
	"retrying upstream call", "session expired", "user signed in",
	"webhook delivered", "refund requested", "stock below threshold",
	"rate limit close to exhausted", "connection returned to pool",
}

// oddMessages are what breaks parsers, encoders and regular expressions.
var oddMessages = []string{
	`he said "ship it" and left`,
	`file C:\orders\new\today.csv imported`,
	"two lines\nin one message\tand a tab",
	"Größe geändert: naïve façade, Zürich",
	"注文を受け付けました",
	"parcel on its way 📦🚚",
	"tags <b>&amp;</b> & 'quotes'",
	"\x1b[31mred alert\x1b[0m",
	"{\"looks\": \"like json\"}",
	"line separator \u2028 inside",
	"50% off, a|b|c, %s %d {} $HOME",
	"trailing space ",
}

var pipeMessages = append([]string{
	"batch import finished", "queue depth 17|consumer lag 3", // the separator inside the message
	"Zürich branch synchronised", "ledger closed for the day",
	`operator typed "stop"`, "税率を更新しました",
}, messages...)

var failures = []error{
	errors.New("context deadline exceeded"),
	errors.New(`dial tcp 10.0.3.7:5432: connect: connection refused`),
	errors.New(`pq: duplicate key value violates unique constraint "orders_pkey"`),
	errors.New("unexpected EOF"),
}

var (
	currencies = []string{"EUR", "USD", "JPY", "CHF"}
	items      = [][]string{{"shoe-42"}, {"café-filter", "mug"}, {"book \"Go\"", "pen", "pencil"}, {}}

	networks = []string{"10.12.0.", "192.168.7.", "203.0.113.", "198.51.100.", "2001:db8::"}
	methods  = []string{"GET", "GET", "GET", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"}
	paths    = []string{"/", "/api/v1/orders", "/api/v1/orders/8123", "/api/v1/users/17/cart", "/healthz", "/static/app.css", "/checkout/pay", "/search/shoes-and-boots"}
	statuses = []int{200, 200, 200, 200, 200, 201, 204, 302, 304, 400, 401, 404, 429, 499, 500, 502, 503}
	referers = []string{"-", "-", "https://shop.example.com/", "https://shop.example.com/cart?step=2"}
	users    = []string{"-", "-", "-", "alice", "bob"}
	agents   = []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
		"curl/8.14.1",
		"kube-probe/1.33",
		`odd \x22agent\x22 [1.0]`, // nginx writes a quote so
		"-",
	}

	threads     = []string{"main", "http-nio-8080-exec-3", "scheduling-1", "kafka-producer-network-thread | producer-1"}
	javaLoggers = []string{"com.acme.checkout.PaymentService", "com.acme.stock.Inventory$Worker", "org.hibernate.SQL"}
	exceptions  = []string{
		"java.lang.IllegalStateException: payment 8123 is not open",
		"java.lang.NullPointerException: Cannot invoke \"String.length()\" because \"name\" is null",
		"java.net.SocketTimeoutException: Read timed out",
		"com.acme.checkout.PaymentException: refused (code 51)",
		"java.lang.OutOfMemoryError",
	}
	frames = []string{
		"com.acme.checkout.PaymentService.pay", "com.acme.checkout.Cart.lambda$total$0",
		"com.acme.stock.Inventory$Worker.run", "java.base/java.util.ArrayList.forEach",
		"org.apache.catalina.core.StandardWrapperValve.invoke", "com.acme.App.<init>",
	}
	sources = []string{"PaymentService", "Cart", "Inventory", "ArrayList", "StandardWrapperValve", "App"}
)
