"""How `hilum.radiograph` reads hostile bytes.

    refusals       bounds and errors
    containers     PNG, JPEG, WebP and BMP files reduced to their pixels; `tiff`, by `ifd`, does TIFF
    pictures       reduced files to 8-bit gray, by Pillow
    dicom          DICOM files to 8-bit gray: `dicom_elements` reads, `dicom_frames` (with `jpeg2000`)
                   decompresses, `dicom_window` chooses the shades
    gray_levels    numbers of any range to 8-bit gray
    quiet          no library speaks while it decodes

Nothing else imports from here: `hilum.radiograph` is the way in.
"""
