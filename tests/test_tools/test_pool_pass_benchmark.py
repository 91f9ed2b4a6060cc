"""The benchmark of the pool pass says what it promises; its figures mean nothing at this size."""

import importlib.util
import json
from pathlib import Path

TOOL = Path(__file__).parents[2] / 'tools/benchmark/pool_pass.py'


def load_tool():
    spec = importlib.util.spec_from_file_location('pool_pass_benchmark', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ratios_are_those_of_the_times(tmp_path):
    out = tmp_path / 'pool.json'
    options = ['--device', 'cpu', '--images', '2', '--size', '64', '64', '--classes', '3']
    load_tool().main([*options, '--repeats', '1', '--pools', '--json', str(out)])
    result = json.loads(out.read_text())
    for name in ('entropy', 'plar', 'seed'):
        for base in ('predict', 'forward'):
            ratio = result[f'{base}_time'] / result[f'{name}_time']
            assert abs(result[f'{name}_ratio_to_{base}'] / ratio - 1) < 1e-6
    assert result['pools'] == []


def test_a_simulated_pool_is_asked_as_far_as_its_budget_goes():
    result = load_tool().simulate(50, 70)
    assert result['asked'] == 70
    assert result['peak_memory_mib'] >= result['own_memory_mib'] >= 0


def test_a_simulated_pool_is_chosen_from_jointly():
    tool = load_tool()
    for name, (_, _, budget) in tool.JOINT.items():
        result = tool.simulate_joint(budget + 20, name)
        assert (result['strategy'], result['asked']) == (name, budget)
        assert result['processor_seconds'] > 0 and result['own_memory_mib'] >= 0
