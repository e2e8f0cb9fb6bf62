#!/bin/bash
# What /opt/nvidia/nvidia_entrypoint.sh does in NVIDIA's images, without the parts that need a GPU.
echo "=============="
echo "== PyTorch =="
echo "=============="
export NVIDIA_CPU_ONLY=1
exec "$@"
