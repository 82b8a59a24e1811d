# The keys of an image's `config`, by the kind of their values: OCI image specification, config.md; Docker image
# specification v1.2; and the fields of Docker's container.Config, as which `docker load` reads the object.
rec {
  texts = [ "Domainname" "Hostname" "Image" "MacAddress" "StopSignal" "User" "WorkingDir" ];
  lists = [ "Cmd" "Entrypoint" "Env" "OnBuild" "Shell" ];
  flags = [ "ArgsEscaped" "AttachStderr" "AttachStdin" "AttachStdout" "NetworkDisabled" "OpenStdin" "StdinOnce" "Tty" ];
  numbers = [ "CpuShares" "Memory" "MemorySwap" "StopTimeout" ];
  others = [ "ExposedPorts" "Healthcheck" "Labels" "Volumes" ];
  all = texts ++ lists ++ flags ++ numbers ++ others;

  durations = [ "Interval" "StartInterval" "StartPeriod" "Timeout" ];
  healthcheck = durations ++ [ "Retries" "Test" ];
}
