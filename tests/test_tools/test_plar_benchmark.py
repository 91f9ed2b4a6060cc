"""The PLAR benchmark runs and says what it promises; its figures mean nothing at this size."""

import importlib.util
import json
from pathlib import Path

import torch

TOOL = Path(__file__).parents[2] / 'tools/benchmark/plar.py'


def load_tool():
    spec = importlib.util.spec_from_file_location('plar_benchmark', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_plar_benchmark(tmp_path):
    out = tmp_path / 'plar.json'
    options = ['--device', 'cpu', '--grid', '24', '30', '--classes', '3', '--channels', '8']
    tool = load_tool()
    tool.main([*options, '--repeats', '1', '--json', str(out)])
    result = json.loads(out.read_text())
    for key in ('speedup', 'ratio_to_gemm', 'plar_time', 'gemm_time', 'reference_time'):
        assert result[key] > 0
    assert result['threads'] == 1
    for name, rows in result['scaling'].items():
        amounts = [row[name] for row in rows]
        assert amounts == sorted(amounts)
        assert all(row['seconds'] > 0 for row in rows)


def test_the_plain_products_are_those_of_the_refinement():
    tool = load_tool()
    case = tool.make_case((12, 20), 2, 4, 0.25, torch.device('cpu'))
    flagged, labelled = int(case.mask.sum()), int((~case.mask).sum())
    _, flops = tool.plain_products(case, min_pixels=8)
    assert flops == 2 * 2 * 16 * (labelled + 2 * flagged)  # two maps, a product is 2 operations
