"""What the images are made of: bills of materials, licences, sizes. For developers and CI; in no image itself."""
