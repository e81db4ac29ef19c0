// Shows the metrics of the ingress-nginx controller without a cluster and without nginx: the lines
// of its cmd/nginx/main.go that make the collector of requests and serve it. Built by
// record_ingress_nginx.py inside a copy of the module, because its packages are internal.
package main

import (
	"flag"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/ingress-nginx/internal/ingress/metric/collectors"
	"k8s.io/ingress-nginx/pkg/flags"
	"k8s.io/ingress-nginx/pkg/metrics"
	"k8s.io/klog/v2"
)

func main() {
	namespace := flag.String("pod-namespace", "", "namespace of the controller's pod")
	pod := flag.String("pod-name", "", "name of the controller's pod")
	hosts := flag.String("hosts", "", "hosts of all Ingresses, separated by commas")
	_, conf, err := flags.ParseFlags()
	if err != nil {
		klog.Fatal(err)
	}
	collector, err := collectors.NewSocketCollector(
		*pod, *namespace, conf.IngressClassConfiguration.Controller, conf.MetricsPerHost,
		conf.ReportStatusClasses, *conf.MetricsBuckets, conf.ExcludeSocketMetrics)
	if err != nil {
		klog.Fatal(err)
	}
	collector.SetHosts(sets.New(strings.Split(*hosts, ",")...))
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)
	go collector.Start()
	mux := http.NewServeMux()
	metrics.RegisterMetrics(registry, mux)
	metrics.StartHTTPServer(conf.HealthCheckHost, conf.ListenPorts.Health, mux)
}
