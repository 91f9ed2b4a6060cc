"""A first look at what an exported network predicts; needs MMSegmentation alone.

    python docs/first_inference.py student.pth image.png -o prediction.png

``student.pth`` and ``student.py`` beside it are written by ``tools/export_segmentor.py``.
"""

import argparse
from pathlib import Path

from mmseg.apis import inference_model, init_model, show_result_pyplot

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument('checkpoint', type=Path)
parser.add_argument('image')
parser.add_argument('-o', '--out', default='prediction.png')
parser.add_argument('--device', default='cpu')
args = parser.parse_args()

model = init_model(str(args.checkpoint.with_suffix('.py')), str(args.checkpoint), args.device)
result = inference_model(model, args.image)
labels, counts = result.pred_sem_seg.data.unique(return_counts=True)
for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
    share = count / result.pred_sem_seg.data.numel()
    print(f'{model.dataset_meta["classes"][label]:20s} {share:7.2%}')
show_result_pyplot(model, args.image, result, show=False, with_labels=False, out_file=args.out)
